import MoECore
import MoEReport
import MoETraining
import SystemPackage

/// The losses of a training run, drawn.
struct LossFigure {
  private let curves: LossCurves

  init(_ run: FilePath) { curves = LossCurves(run) }

  func figure(_ title: String, note: String = "") -> Figure {
    let series = [("training", curves.training), ("validation", curves.validation)]
    return LineChart(
      series.filter { !$0.1.isEmpty }.map { name, points in
        .init(name, points.map { (x: Double($0.step), y: $0.loss) })
      }, xTitle: "step", yTitle: "loss", startsAtZero: false
    ).figure(title, note: note)
  }
}

/// What the experts of a language model's run did along its steps, drawn.
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
    ).figure("Load of the busiest expert", note: "1 would be an even load.")
  }

  private var loads: Figure {
    var (rows, values) = ([String](), [Double]())
    for layer in history.layers {
      let entries = history.entries(ofLayer: layer)
      for expert in 0..<(entries.first?.load.count ?? 0) {
        rows.append("\(layer).\(expert)")
        values += entries.map { entry in
          let mean = Double(entry.load.reduce(0, +)) / Double(max(1, entry.load.count))
          return mean > 0 && expert < entry.load.count ? Double(entry.load[expert]) / mean : 0
        }
      }
    }
    return HeatMap(
      rows: rows, columns: history.steps.map(String.init), values: values,
      rowTitle: "layer.expert", columnTitle: "step", valueTitle: "load over the mean"
    ).figure(
      "Load of every expert along the steps",
      note:
        "Each batch has other words, so loads flicker; stripes are experts that are always busy.")
  }
}
