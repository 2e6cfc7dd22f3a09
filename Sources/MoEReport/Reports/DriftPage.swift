import MoECore
public import MoETracing

/// The page that compares the routing of two traces.
public struct DriftPage {
  private let report: DriftReport

  /// Prepares the page.
  public init(_ report: DriftReport) { self.report = report }

  /// The page.
  public var page: Page {
    let known = report.tokens.compactMap { $0 }
    let tokens =
      known.count < report.tokens.count
      ? "unknown numbers of" : known.map { NumberText.count($0) }.joined(separator: " and ")
    var sections = [
      Page.Section("What it means", [.findings(report.diagnosis)]),
      Page.Section("Loads", [.figures([loads] + changes), .table(table)]),
    ]
    if !report.affinities.isEmpty {
      sections.append(Page.Section("From layer to layer", [.figures([affinities])]))
    }
    return Page(
      "Drift from \(report.names.first ?? "") to \(report.names.last ?? "")",
      summary:
        "\(tokens) tokens, \(NumberText.counted(report.layers.count, "sparse layer")) of \(report.experts) experts",
      sections: sections,
      footer: Page.allNumbers
    )
  }

  private var loads: Figure {
    BarChart(
      report.layers.map { String($0.layer) },
      [
        ("difference of the traces", report.layers.map(\.drift)),
        ("tokens dealt at random", report.layers.map(\.byChance)),
      ], nameTitle: "layer", valueTitle: "divergence of loads (Jensen–Shannon)"
    ).figure("How much loads differ", note: "0: the same loads. 1: no expert in common.")
  }

  private var changes: [Figure] {
    let values = report.layers.flatMap { layer in zip(layer.before, layer.after).map { $1 - $0 } }
    guard !values.isEmpty else { return [] }
    let most = max(0.1, values.map(\.magnitude).max() ?? 1)
    return [
      HeatMap(
        rows: report.layers.map { String($0.layer) },
        columns: (0..<report.experts).map(String.init), values: values, rowTitle: "layer",
        columnTitle: "expert", valueTitle: "change of load over the mean", range: -most...most,
        scale: .diverging
      ).figure(
        "Which experts gained and lost",
        note: "Blue: less used in the second trace. Brown: more. In units of the mean load.")
    ]
  }

  private var affinities: Figure {
    BarChart(
      zip(report.layers, report.affinities).map { layer, _ in String(layer.layer) },
      [
        ("difference of the traces", report.affinities),
        ("tokens dealt at random", report.affinitiesByChance),
      ], nameTitle: "from layer", valueTitle: "tokens with other successors",
      format: NumberText.pagePercent
    ).figure("How much affinity differs")
  }

  private var table: Table {
    Table(
      [
        "layer", "drift", "by chance", "moved", "most risen", "from", "to", "most fallen", "from",
        "to",
      ],
      report.layers.map { layer in
        [
          String(layer.layer), NumberText.short(layer.drift), NumberText.short(layer.byChance),
          NumberText.pagePercent(layer.moved), String(layer.risen),
          NumberText.short(layer.before[layer.risen]),
          NumberText.short(layer.after[layer.risen]), String(layer.fallen),
          NumberText.short(layer.before[layer.fallen]), NumberText.short(layer.after[layer.fallen]),
        ]
      })
  }
}
