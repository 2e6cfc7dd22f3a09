import MoEReport
import MoETraining

extension LossCurves {
  /// Training and validation losses as lines of a chart, with the weights that they are of where these differ.
  var series: [LineChart.Series] {
    let isAveraged = evaluated == .averaged
    let (own, other) = (RunWeights.last.rawValue, RunWeights.averaged.rawValue)
    return [
      ("training" + (isAveraged ? ", \(own)" : ""), training),
      ("validation" + (isAveraged ? ", \(other)" : ""), validation),
    ].map { LineChart.Series($0, $1.map { (x: Double($0.step), y: $0.loss) }) }
  }
}
