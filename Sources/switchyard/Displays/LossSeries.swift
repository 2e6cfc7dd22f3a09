import MoEReport
import MoETraining

extension LossCurves {
  /// Training and validation losses as lines of a chart.
  var series: [LineChart.Series] {
    [("training", training), ("validation", validation)].map {
      LineChart.Series($0, $1.map { (x: Double($0.step), y: $0.loss) })
    }
  }
}
