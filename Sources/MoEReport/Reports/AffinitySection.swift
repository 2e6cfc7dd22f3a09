import MoECore
import MoETracing

/// The section on the dependence between experts of neighbouring layers.
struct AffinitySection {
  let report: TraceReport
  let pairs: [Int]

  init(_ report: TraceReport, pairs: [Int]) { (self.report, self.pairs) = (report, pairs) }

  var section: Page.Section? {
    guard !report.transitions.isEmpty, report.tokens ?? 0 > 0 else { return nil }
    return Page.Section(
      "From layer to layer",
      [
        .paragraph(
          "Affinity is the fraction of an expert's tokens that go on to a given expert of the next sparse layer. Experts that are popular everywhere make affinity look high, so it is shown next to the value for shuffled tokens. Only the first, strongest expert of a token counts here."
        ),
        .figures([information, successors] + pairs.map(map) + [flow]), .table(table),
      ])
  }

  private func series(
    _ name: String, _ value: (TransitionStatistics) -> Double
  ) -> LineChart.Series {
    .init(
      name,
      zip(report.layers, report.transitions).map { (x: Double($0.layer), y: value($1)) })
  }

  var information: Figure {
    LineChart(
      [
        series("mutual information", \.mutualInformation),
        series("by chance and popularity alone", \.nullMean),
      ], xTitle: "from layer", yTitle: "bits"
    ).figure("What an expert tells about the next layer's")
  }

  private var successors: Figure {
    LineChart(
      [
        series("to the most frequent successor", \.topSuccessorShare),
        series("to the most popular expert", \.independentShare),
      ], xTitle: "from layer", yTitle: "fraction of tokens", format: NumberText.pagePercent
    ).figure(
      "Tokens that go to the most frequent successor",
      note: "The second line is what the first would be without affinity.")
  }

  private func map(_ pair: Int) -> Figure {
    let names = (0..<report.experts).map(String.init)
    let (from, to) = (report.layers[pair].layer, report.layers[pair + 1].layer)
    return HeatMap(
      rows: names, columns: names, values: report.affinities[pair],
      rowTitle: "expert of layer \(from)", columnTitle: "expert of layer \(to)",
      valueTitle: "fraction of a row's tokens",
      range: 0...max(2 / Double(report.experts), report.affinities[pair].max() ?? 1),
      format: NumberText.pagePercent
    ).figure(
      "Affinity, layer \(from) to \(to)",
      note: "Vertical stripes are popular experts; single bright cells are affinity.")
  }

  // MARK: Flow

  /// The number of experts per layer that are drawn separately; the others are combined.
  private static let drawnExperts = 12
  /// Ribbons below this fraction of the tokens are omitted.
  private static let leastShare = 0.004

  var flow: Figure {
    let groups = report.layers.map { Self.groups($0.firstLoad) }
    let total = Double(max(1, report.tokens ?? 0))
    let sizes = zip(report.layers, groups).map { layer, group in
      var sums = [Double](repeating: 0, count: group.names.count)
      for (expert, load) in layer.firstLoad.enumerated() {
        sums[group.places[expert]] += Double(load) / total
      }
      return sums
    }
    let links = report.affinities.indices.map { pair in
      Self.links(
        report.affinities[pair], report.layers[pair].firstLoad.map { Double($0) / total },
        groups[pair], groups[pair + 1], popularity: sizes[pair + 1])
    }
    return FlowDiagram(
      columns: report.layers.map { "layer \($0.layer)" }, names: groups.map(\.names), sizes: sizes,
      links: links
    ).figure(
      "Where tokens go",
      note:
        "The \(min(report.experts, Self.drawnExperts)) busiest first experts of each layer\(report.experts > Self.drawnExperts ? ", the others combined" : ""). Ribbons stand out where at least twice as many tokens take them as popularity explains; those of less than \(NumberText.pagePercent(Self.leastShare)) of the tokens are omitted."
    )
  }

  private static func groups(_ load: [Int]) -> (names: [String], places: [Int]) {
    guard load.count > drawnExperts else {
      return (load.indices.map(String.init), Array(load.indices))
    }
    let busiest = load.indices.sorted { (load[$0], $1) > (load[$1], $0) }.prefix(drawnExperts)
    var places = [Int](repeating: drawnExperts, count: load.count)
    for (place, expert) in busiest.enumerated() { places[expert] = place }
    return (busiest.map(String.init) + ["…"], places)
  }

  private static func links(
    _ affinity: [Double], _ load: [Double], _ from: (names: [String], places: [Int]),
    _ to: (names: [String], places: [Int]), popularity: [Double]
  ) -> [FlowDiagram.Link] {
    let width = to.names.count
    var amounts = [Double](repeating: 0, count: from.names.count * width)
    var leaving = [Double](repeating: 0, count: from.names.count)
    for (i, share) in load.enumerated() where share > 0 {
      leaving[from.places[i]] += share
      for p in load.indices {
        amounts[from.places[i] * width + to.places[p]] += share * affinity[i * load.count + p]
      }
    }
    return amounts.enumerated().filter { $0.element >= leastShare }.map { place, amount in
      let (i, p) = place.quotientAndRemainder(dividingBy: width)
      let expected = leaving[i] * popularity[p]
      return .init(from: i, to: p, amount: amount, isStrong: amount >= 2 * expected)
    }
  }

  private var table: Table {
    Table(
      ["from layer", "bits", "by chance", "explained", "top successor", "if independent"],
      zip(report.layers, report.transitions).map { layer, it in
        [
          String(layer.layer), NumberText.short(it.mutualInformation),
          NumberText.short(it.nullMean),
          NumberText.pagePercent(it.excessShare), NumberText.pagePercent(it.topSuccessorShare),
          NumberText.pagePercent(it.independentShare),
        ]
      })
  }
}
