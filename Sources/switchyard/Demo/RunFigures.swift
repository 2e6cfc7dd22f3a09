import MoECore
import MoEReport
import MoETraining
import SystemPackage

/// A figure of the losses of a training run.
struct LossFigure {
  private let curves: LossCurves

  /// Few enough points that means of neighbouring steps show the trend of the loss.
  private static let points = 40

  init(_ run: FilePath) { curves = LossCurves(run, limit: Self.points) }

  func figure(_ title: String, note: String = "") -> Figure {
    LineChart(
      curves.series.filter { !$0.points.isEmpty }, xTitle: "step", yTitle: "loss",
      startsAtZero: false
    ).figure(title, note: note)
  }
}

/// A figure of what the experts of a language model did during training.
struct RunFigures {
  private let history: RoutingHistory

  init(_ run: FilePath) { history = RoutingHistory(run) }

  var figures: [Figure] { history.entries.isEmpty ? [] : [imbalance, loads] }

  private var imbalance: Figure {
    LineChart(
      history.layers.prefix(7).map { layer in
        .init(
          "layer \(layer)",
          history.entries(ofLayer: layer).map { (x: Double($0.step), y: $0.imbalance) })
      }, xTitle: "step", yTitle: "times the mean load", startsAtZero: false
    ).figure("Load of the busiest expert", note: "1 is an even load.")
  }

  private var loads: Figure {
    // One row per step: the load of each expert relative to its layer's mean.
    let (steps, layers) = (history.steps, history.layers)
    let experts = history.entries.map(\.load.count).max() ?? 0
    let columns = layers.flatMap { layer in (0..<experts).map { "\(layer).\($0)" } }
    var values = [Double](repeating: 0, count: steps.count * columns.count)
    let rows = Dictionary(uniqueKeysWithValues: steps.enumerated().map { ($1, $0) })
    let places = Dictionary(uniqueKeysWithValues: layers.enumerated().map { ($1, $0 * experts) })
    for entry in history.entries {
      guard let row = rows[entry.step], let place = places[entry.layer] else { continue }
      let mean = Double(entry.load.reduce(0, +)) / Double(max(1, entry.load.count))
      for (expert, load) in entry.load.enumerated() where mean > 0 {
        values[row * columns.count + place + expert] = Double(load) / mean
      }
    }
    return HeatMap(
      rows: steps.map(String.init), columns: columns, values: values, rowTitle: "step",
      columnTitle: "layer.expert", valueTitle: "load over the mean"
    ).figure(
      "Load of every expert by step",
      note: "Bright vertical stripes are experts that are always busy; 1 is the layer's mean.")
  }
}
