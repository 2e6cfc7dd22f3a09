import MoECore
public import MoEEvaluation
import MoETracing

/// The page about the experts of a diffusion transformer.
public struct DiffusionPage {
  private let report: DiffusionReport
  private let curves: [(title: String, y: String, series: [LineChart.Series])]
  private let sheet: [UInt8]?

  /// Prepares the page.
  ///
  /// - Parameters:
  ///   - report: What was measured.
  ///   - losses: Losses by step, for a run; a series without points is left out.
  ///   - gate: The mean gate value by step; empty where it is not known.
  ///   - sheet: A PNG file's bytes with images that the model made, a row per class.
  public init(
    _ report: DiffusionReport, losses: [LineChart.Series] = [],
    gate: [(x: Double, y: Double)] = [], sheet: [UInt8]? = nil
  ) {
    (self.report, self.sheet) = (report, sheet)
    let all = [
      (title: "Loss", y: "loss", series: losses),
      (title: "Gate value", y: "mean factor", series: [LineChart.Series("routed experts", gate)]),
    ]
    curves = all.map { (title: $0.title, y: $0.y, series: $0.series.filter { !$0.points.isEmpty }) }
      .filter { !$0.series.isEmpty }
  }

  /// The page.
  public var page: Page {
    let sections = [
      Page.Section("What it means", [.findings(report.diagnosis)]), pictures, training,
      usage, gates, weights,
    ]
    return Page(
      "Experts of \(report.name)",
      summary: "\(report.architecture); \(NumberText.count(report.images)) images looked at",
      sections: sections.compactMap { $0 },
      footer: Page.allNumbers
    )
  }

  private var pictures: Page.Section? {
    guard let sheet else { return nil }
    let names = report.classes.prefix(16).joined(separator: ", ")
    return Page.Section(
      "Images that it makes",
      [
        .images(
          ImageGrid(
            [ImageGrid.Item(png: sheet, label: "A row for each class: \(names)")], width: 520))
      ])
  }

  private var training: Page.Section? {
    guard !curves.isEmpty else { return nil }
    return Page.Section(
      "Along the training",
      [
        .figures(
          curves.map { curve in
            LineChart(
              curve.series, xTitle: "step", yTitle: curve.y, startsAtZero: curve.title != "Loss"
            ).figure(curve.title, note: "Means of neighbouring steps.")
          })
      ])
  }

  private var experts: [String] { (report.blocks.first?.load ?? []).indices.map(String.init) }

  private var usage: Page.Section? {
    guard !report.blocks.isEmpty, !report.classes.isEmpty else { return nil }
    let maps = report.blocks.map { block in
      HeatMap(
        rows: report.classes, columns: experts,
        values: block.usage.flatMap { row in
          let all = Double(max(1, row.reduce(0, +)))
          return row.map { Double($0) / all }
        }, rowTitle: "class", columnTitle: "expert", valueTitle: "share of the class's patches",
        format: NumberText.pagePercent
      ).figure("Experts by class, block \(block.place)")
    }
    let sets = report.classSets.map { set in
      "\(set.first.map { report.classes[$0] } ?? "–") to \(set.last.map { report.classes[$0] } ?? "–")"
    }
    let table = Table(
      ["block", "between the sets", "between halves of the images", "experts without a patch"],
      report.blocks.map {
        [
          "\($0.place)", NumberText.short($0.variation(between: report.classSets)),
          NumberText.short($0.variationByChance), "\($0.unused.count)",
        ]
      })
    return Page.Section(
      "Who uses which experts",
      [
        .figures(maps),
        .paragraph(
          "Total variation between the use of experts by two sets of classes (\(sets.joined(separator: " and "))): 0 if they use them alike, 1 if they share none."
        ), .table(table),
      ] + roles)
  }

  private var roles: [Page.Block] {
    guard let roles = report.roles else { return [] }
    return [
      .paragraph(
        "Who did the work on these images, with labels left out as often as in training: an answer of one expert for one patch counts once, over all blocks."
      ),
      .table(
        Table(
          ["role", "share"],
          [
            ["routed experts", NumberText.pagePercent(roles.routed)],
            ["the expert of images without a label", NumberText.pagePercent(roles.unconditional)],
            ["the shared expert", NumberText.pagePercent(roles.shared)],
          ])),
    ]
  }

  private var gates: Page.Section? {
    guard !report.blocks.isEmpty else { return nil }
    let names = report.blocks.map { "\($0.place)" }
    return Page.Section(
      "Blocks",
      [
        .figures([
          BarChart(
            names, [("gate", report.blocks.map(\.gate))], nameTitle: "block",
            valueTitle: "mean factor of routed experts"
          ).figure("Gate value by block"),
          BarChart(
            names, [("ratio", report.blocks.map(\.separation))], nameTitle: "block",
            valueTitle: "distance between centres over distance to them"
          ).figure(
            "How clearly patches fall into ten clusters",
            note: "k-means of what the router sees, with images at random times."),
        ])
      ])
  }

  private var weights: Page.Section? {
    guard !report.blocks.isEmpty else { return nil }
    let figures = report.blocks.flatMap { block -> [Figure] in
      let names = block.subspaces.indices.map {
        $0 < block.load.count ? "\($0)" : "no label"
      }
      var result = [
        HeatMap(
          rows: names, columns: names, values: block.subspaces.flatMap { $0 }, rowTitle: "expert",
          columnTitle: "expert", valueTitle: "overlap", range: 0...1
        ).figure(
          "Overlap of expert weights, block \(block.place)",
          note:
            "Of the eight main directions of each first matrix; at random \(NumberText.short(block.subspaceChance))."
        )
      ]
      if !block.prototypes.isEmpty {
        let names = block.prototypes.indices.map(String.init)
        result.append(
          HeatMap(
            rows: names, columns: names, values: block.prototypes.flatMap { $0 },
            rowTitle: "prototype", columnTitle: "prototype", valueTitle: "cosine", range: -1...1,
            scale: .diverging
          ).figure("Cosines between prototypes, block \(block.place)"))
      }
      return result
    }
    return Page.Section("How experts differ", [.figures(figures)])
  }
}
