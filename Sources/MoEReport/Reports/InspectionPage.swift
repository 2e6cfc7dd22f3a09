import MoECore
public import MoEPlacement
public import MoETracing

/// The page about a trace: its report and the advice about placement, with figures.
public struct InspectionPage {
  private let report: TraceReport
  private let advice: PlacementAdvice?
  private let pairs: [Int]

  /// Prepares the page.
  ///
  /// - Parameters:
  ///   - report: The measurements.
  ///   - advice: What placement could gain, if requested.
  ///   - layers: Layers of the model whose affinity to the next one is drawn; `nil` for a selection
  ///     of four.
  public init(_ report: TraceReport, advice: PlacementAdvice? = nil, layers: [Int]? = nil) {
    (self.report, self.advice) = (report, advice)
    let places = Dictionary(
      uniqueKeysWithValues: report.layers.enumerated().map { ($1.layer, $0) })
    let asked = layers?.compactMap { places[$0] }.filter { $0 < report.affinities.count }
    pairs = asked ?? Self.choice(report)
  }

  /// The first, the middle and the last pair, and the one with the strongest affinity.
  private static func choice(_ report: TraceReport) -> [Int] {
    let count = report.affinities.count
    guard count > 0 else { return [] }
    let strongest = report.transitions.indices.max {
      report.transitions[$0].excessShare < report.transitions[$1].excessShare
    }
    return Set([0, count / 2, count - 1, strongest ?? 0]).sorted()
  }

  /// The page.
  public var page: Page {
    let title = "Routing of \(report.model ?? "a model")"
    let sections = [
      meaning, LoadSection(report).section, AffinitySection(report, pairs: pairs).section,
      TogetherSection(report).section, SpecializationSection(report).section,
      advice.map { PlacementSection($0).section },
    ]
    return Page(
      title, summary: summary, sections: sections.compactMap { $0 },
      footer: Page.allNumbers
    )
  }

  /// The most informative figures, for a page about more than routing: loads, dependence between
  /// experts, and token flow.
  public var highlights: [Figure] {
    let affinity = AffinitySection(report, pairs: pairs)
    return (LoadSection(report).section == nil ? [] : [LoadSection(report).map])
      + (affinity.section == nil ? [] : [affinity.information, affinity.flow])
  }

  private var summary: String {
    func count(_ number: Int, _ noun: String) -> String {
      "\(NumberText.count(number)) \(NumberText.noun(number, noun))"
    }
    let sequences = report.sequences > 0 ? " in \(count(report.sequences, "sequence"))" : ""
    let source = report.source.map { "; from \($0)" } ?? ""
    let (layers, experts) = (
      count(report.layers.count, "sparse layer"), count(report.experts, "expert")
    )
    guard let tokens = report.tokens, let k = report.k else {
      return "loads of \(layers) of \(experts), of an unknown number of tokens\(source)"
    }
    return "\(count(tokens, "token"))\(sequences), \(layers), top-\(k) of \(experts)\(source)"
  }

  private var meaning: Page.Section {
    func mean(_ values: [Double]) -> Double {
      values.reduce(0, +) / Double(max(1, values.count))
    }
    var numbers = [
      (
        NumberText.short(mean(report.layers.map(\.statistics.imbalance))),
        "times the mean load on the busiest expert, mean of the layers"
      ),
      (
        NumberText.pagePercent(mean(report.layers.map(\.statistics.entropy))),
        "of the entropy of an even load, mean of the layers"
      ),
    ]
    if !report.transitions.isEmpty {
      numbers.append(
        (
          NumberText.pagePercent(mean(report.transitions.map(\.excessShare))),
          "of the next layer's first expert explained by this layer's, beyond chance"
        ))
    }
    if let advice {
      numbers += [
        (
          NumberText.pagePercent(advice.saved),
          "of crossings saved by placement on \(advice.devices) devices, on held-out tokens"
        ),
        (
          NumberText.pagePercent(advice.mostSaved),
          "of crossings is the most that any placement can save"
        ),
        (
          NumberText.pagePercent(max(0, advice.savedByBalancing)),
          "of the slowest device's time saved by balancing"
        ),
      ]
    }
    return Page.Section(
      "What it means",
      [.findings(report.diagnosis), .numbers(numbers.map { (value: $0.0, label: $0.1) })])
  }
}

/// The section on how evenly experts are used.
struct LoadSection {
  let report: TraceReport

  init(_ report: TraceReport) { self.report = report }

  var section: Page.Section? {
    guard report.tokens ?? 1 > 0, !report.layers.isEmpty else { return nil }
    return Page.Section("Load of the experts", [.figures([map, spread, evenness]), .table(table)])
  }

  /// Loads relative to their layer's mean.
  private var relative: [[Double]] {
    report.layers.map { layer in
      let mean = Double(layer.load.reduce(0, +)) / Double(max(1, layer.load.count))
      return layer.load.map { mean > 0 ? Double($0) / mean : 0 }
    }
  }

  private var names: [String] { report.layers.map { String($0.layer) } }

  var map: Figure {
    HeatMap(
      rows: names, columns: (0..<report.experts).map(String.init), values: relative.flatMap { $0 },
      rowTitle: "layer", columnTitle: "expert", valueTitle: "load over the mean",
      range: 0...max(1, relative.flatMap { $0 }.max() ?? 1)
    ).figure(
      "Load by layer and expert",
      note: "1 is the mean of a layer: as many tokens as if all experts were used evenly.")
  }

  private var spread: Figure {
    LineChart(
      [
        .init(
          "expert",
          zip(report.layers, relative).flatMap { layer, loads in
            loads.map { (x: Double(layer.layer), y: $0) }
          }, isDotted: true)
      ], xTitle: "layer", yTitle: "load over the mean", reference: (1, "even")
    ).figure("Distribution of loads", note: "A dot for every expert of every layer.")
  }

  private var evenness: Figure {
    func series(_ name: String, _ value: (LoadStatistics) -> Double) -> LineChart.Series {
      .init(name, report.layers.map { (x: Double($0.layer), y: value($0.statistics)) })
    }
    return LineChart(
      [
        series("entropy of the load, 1 for even", \.entropy),
        series("Gini coefficient, 0 for even", \.gini),
        series("variation (CV), 0 for even", \.coefficientOfVariation),
      ], xTitle: "layer", yTitle: ""
    ).figure("Evenness by layer")
  }

  private var table: Table {
    Table(
      ["layer", "max/mean", "CV", "Gini", "entropy", "never chosen", "busiest expert"],
      report.layers.map { layer in
        let it = layer.statistics
        return [
          String(layer.layer), NumberText.short(it.imbalance),
          NumberText.short(it.coefficientOfVariation), NumberText.short(it.gini),
          NumberText.short(it.entropy), String(it.deadExperts.count), String(it.busiest),
        ]
      })
  }
}

/// The section on experts that are chosen together.
struct TogetherSection {
  let report: TraceReport

  init(_ report: TraceReport) { self.report = report }

  var section: Page.Section? {
    guard let together = report.coactivation, report.tokens ?? 0 > 0 else { return nil }
    let names = (0..<report.experts).map(String.init)
    let figure = HeatMap(
      rows: names, columns: names, values: together.lifts, rowTitle: "expert",
      columnTitle: "expert", valueTitle: "times as often as by chance", range: 0...4
    ).figure(
      "Chosen together in layer \(together.layer)",
      note:
        "1: as often as the loads of both explain; 4 and more share a colour. The layer is the one with the strongest pair."
    )
    let rows = report.layers.flatMap { layer in
      layer.coactivations.map {
        [
          String(layer.layer), "\($0.first) and \($0.second)", NumberText.count($0.tokens),
          NumberText.short($0.lift),
        ]
      }
    }
    return Page.Section(
      "Experts chosen together",
      [
        .figures([figure]),
        .table(
          Table(
            ["layer", "experts", "tokens", "times as often as by chance"], rows, wordColumns: 2)
        ),
      ])
  }
}
