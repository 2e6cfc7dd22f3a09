import MoECore
public import MoEEvaluation
import MoETracing

/// The page about a model that predicts classes or scores: which of its experts answers what.
public struct ClassifierPage {
  private let report: ClassifierReport

  /// Prepares the page.
  public init(_ report: ClassifierReport) { self.report = report }

  /// The page.
  public var page: Page {
    let cut =
      report.truncated > 0 ? ", \(NumberText.count(report.truncated)) of them truncated" : ""
    return Page(
      "Experts of \(report.source)",
      summary:
        "\(NumberText.count(report.texts)) \(NumberText.noun(report.texts, "text"))\(cut); \(NumberText.short(report.millisecondsPerText)) ms for one text alone",
      sections: [overview, classes, experts, groups, certainty].compactMap { $0 }
        + report.experts.compactMap(examples),
      footer: Page.allNumbers
    )
  }

  private func name(_ expert: ClassifierReport.Expert) -> String {
    "\(expert.number) (\(expert.kind))"
  }

  private var overview: Page.Section {
    let shown = ["accuracy", "macro_f1", "pearson", "spearman", "mean_squared_error"]
    var numbers = report.values.filter { shown.contains($0.name) }.map {
      (value: Self.short($0.value), label: $0.name.replacing("_", with: " "))
    }
    numbers.append(
      (
        value: NumberText.short(report.entropy),
        label:
          "nats of entropy of the gate, mean over texts; a uniform gate has \(NumberText.short(report.greatestEntropy))"
      ))
    return Page.Section(
      "Quality",
      [
        .numbers(numbers),
        .table(
          Table(
            ["measure", "value"],
            report.values.map { [$0.name.replacing("_", with: " "), Self.short($0.value)] })),
      ])
  }

  /// A number, which may be undefined.
  private static func short(_ value: Double?) -> String {
    value.map(NumberText.short) ?? "undefined"
  }

  /// With more classes, only JSON holds the confusion matrix.
  private static let widestMatrix = 50

  private var classes: Page.Section? {
    guard let quality = report.classes else { return nil }
    let names = quality.classes.map(\.name)
    let map = HeatMap(
      rows: names, columns: names, values: quality.confusion.flatMap { $0.map(Double.init) },
      rowTitle: "texts of", columnTitle: "predicted as", valueTitle: "texts",
      format: { NumberText.count(Int($0)) })
    let table = Table(
      ["class", "texts", "predicted", "precision", "recall", "F1"],
      quality.classes.map {
        [
          $0.name, NumberText.count($0.actual), NumberText.count($0.predicted),
          Self.short($0.precision), Self.short($0.recall), Self.short($0.f1),
        ]
      })
    let isReadable = names.count <= Self.widestMatrix
    return Page.Section(
      "The classes",
      (isReadable ? [.figures([map.figure("Confusion matrix")])] : []) + [.table(table)])
  }

  private var experts: Page.Section {
    let chart = BarChart(
      report.experts.map(name),
      [
        ("texts answered", report.experts.map(\.usage)),
        ("mean gate probability", report.experts.map(\.share)),
      ], nameTitle: "expert", valueTitle: "fraction", format: NumberText.pagePercent)
    let table = Table(
      ["expert", "texts answered", "mean gate probability", "accuracy on them"],
      report.experts.map {
        [
          name($0), NumberText.pagePercent($0.usage), NumberText.pagePercent($0.share),
          $0.accuracy.map(NumberText.pagePercent) ?? (report.classes == nil ? "–" : "undefined"),
        ]
      })
    return Page.Section("The experts", [.figures([chart.figure("Use")]), .table(table)])
  }

  private var groups: Page.Section? {
    guard !report.groups.isEmpty else { return nil }
    let filled = report.groups.filter { $0.usage != nil }
    let map = HeatMap(
      rows: filled.map(\.name), columns: report.experts.map(name),
      values: filled.flatMap { $0.usage ?? [] }, rowTitle: "texts of", columnTitle: "expert",
      valueTitle: "fraction of the texts", range: 0...1, format: NumberText.pagePercent)
    let table = Table(
      ["texts of", "number"] + report.experts.map { "expert \(name($0))" },
      report.groups.map {
        let usage = $0.usage?.map(NumberText.pagePercent) ?? report.experts.map { _ in "undefined" }
        return [$0.name, NumberText.count($0.texts)] + usage
      })
    return Page.Section(
      "Which expert answers what", [.figures([map.figure("Routing")]), .table(table)])
  }

  private var certainty: Page.Section {
    let steps = report.experts.first?.certainty.count ?? 0
    let names = (0..<steps).map { "\($0 * 100 / max(1, steps)) %" }
    let chart = BarChart(
      names, report.experts.map { (name($0), $0.certainty.map(Double.init)) },
      nameTitle: "probability of the chosen expert, from", valueTitle: "texts")
    return Page.Section(
      "Confidence of the gate",
      [
        .paragraph(
          "The gate sends a text to the expert with the highest probability. On the far right it is certain."
        ),
        .figures([chart.figure("Probability of the chosen expert")]),
      ])
  }

  private func examples(_ expert: ClassifierReport.Expert) -> Page.Section? {
    guard !expert.examples.isEmpty else { return nil }
    return Page.Section(
      "Most confident texts of expert \(name(expert))",
      [
        .table(
          Table(
            ["text", "label", "predicted", "probability"],
            expert.examples.map {
              [
                String($0.text.prefix(400)), $0.actual, $0.predicted,
                NumberText.pagePercent($0.share),
              ]
            }, wordColumns: 3))
      ])
  }
}
