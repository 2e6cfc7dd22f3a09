import MoECore
import MoETracing

/// The section on which kinds of tokens use different experts.
struct SpecializationSection {
  let report: TraceReport

  init(_ report: TraceReport) { self.report = report }

  var section: Page.Section? {
    guard !report.specializations.isEmpty, report.tokens ?? 0 > 0 else { return nil }
    return Page.Section(
      "Which tokens use which experts",
      [
        .paragraph(
          "How much a token's expert tells about the kind of the token: 0 nothing, 100 % everything. The value expected by chance is subtracted."
        ),
        .figures([shares] + report.specializations.compactMap(map)), .table(table),
      ])
  }

  private var shares: Figure {
    LineChart(
      report.specializations.map { kind in
        .init(
          kind.kind, zip(report.layers, kind.shares).map { (x: Double($0.layer), y: $1) })
      }, xTitle: "layer", yTitle: "fraction explained", format: NumberText.pagePercent
    ).figure("What experts tell about tokens")
  }

  private func map(_ kind: Specialization) -> Figure? {
    let used = kind.groups.indices.filter { kind.tokens[$0] > 0 }
    guard used.count > 1, !kind.lifts.isEmpty else { return nil }
    let experts = report.experts
    let layer = report.layers[kind.clearest].layer
    return HeatMap(
      rows: used.map { kind.groups[$0] }, columns: (0..<experts).map(String.init),
      values: used.flatMap { Array(kind.lifts[$0 * experts..<($0 + 1) * experts]) },
      rowTitle: kind.kind, columnTitle: "expert", valueTitle: "times all tokens' use", range: 0...3
    ).figure(
      "Experts by \(kind.kind), layer \(layer)",
      note:
        "1: a group uses the expert as often as all tokens do; 3 and more share a colour. The layer that tells the most."
    )
  }

  private var table: Table {
    Table(
      ["kind", "group", "tokens", "mean explained", "largest", "in layer"],
      report.specializations.flatMap { kind in
        let mean = kind.shares.reduce(0, +) / Double(max(1, kind.shares.count))
        return kind.groups.indices.filter { kind.tokens[$0] > 0 }.map { group in
          [
            kind.kind, kind.groups[group], NumberText.count(kind.tokens[group]),
            NumberText.pagePercent(mean), NumberText.pagePercent(kind.shares.max() ?? 0),
            String(report.layers[kind.clearest].layer),
          ]
        }
      }, wordColumns: 2)
  }
}
