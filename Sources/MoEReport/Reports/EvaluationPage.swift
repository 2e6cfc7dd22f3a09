import MoECore
public import MoEEvaluation

/// The page about models that were asked the same questions.
public struct EvaluationPage {
  private let report: EvaluationReport

  /// Prepares the page.
  public init(_ report: EvaluationReport) { self.report = report }

  /// The page.
  public var page: Page {
    let names = report.models.map(\.name)
    let questions = report.models.first?.results.reduce(0) { $0 + $1.questions } ?? 0
    var sections = [
      Page.Section(
        "Tasks",
        [.figures(charts), .table(Table(report.header, report.rows))]
          + (report.notes.isEmpty ? [] : [.findings(report.notes)]))
    ]
    if !report.differences.isEmpty {
      sections.append(
        Page.Section(
          "Differences",
          [
            .figures(intervals),
            .table(
              Table(PairedDifference.header, report.differences.map(\.cells), wordColumns: 3)),
          ]))
    }
    sections += subjects
    return Page(
      names.count == 1
        ? "What \(names[0]) answers" : "What \(names.joined(separator: ", ")) answer",
      summary: summary(questions),
      sections: sections, footer: Page.allNumbers)
  }

  private func summary(_ questions: Int) -> String {
    let tokens = report.leadingTokens.joined(separator: "; ")
    guard questions > 0 else { return "how well texts are predicted; \(tokens)" }
    return
      "\(NumberText.counted(questions, "question")), worded and scored as by lm-evaluation-harness 0.4.13; \(tokens)"
  }

  private var charts: [Figure] {
    guard let first = report.models.first else { return [] }
    let fractions = first.results.indices.filter {
      first.results[$0].primary.metric != .perplexity
    }
    guard !fractions.isEmpty else { return [] }
    let note = "The primary metric of each task: \(primaryMetrics(fractions))."
    guard fractions.count > Self.mostBars else { return [bars(fractions, note)] }
    return report.models.map { scores($0, fractions, note) }
  }

  /// More names than these do not fit below bars.
  private static let mostBars = 4

  private func bars(_ places: [Int], _ note: String) -> Figure {
    BarChart(
      places.map { report.models[0].results[$0].name },
      report.models.map { model in
        (model.name, places.map { model.results[$0].primary.value * 100 })
      }, nameTitle: "task", valueTitle: "right answers in %"
    ).figure("Right answers, by task", note: note)
  }

  /// A row per task, with the 95 % confidence interval.
  private func scores(
    _ model: EvaluationReport.Model, _ places: [Int], _ note: String
  ) -> Figure {
    let rows = places.map { place in
      let score = model.results[place].primary
      let spread = 1.96 * (score.standardError ?? 0)
      return IntervalChart.Row(
        model.results[place].name, value: score.value * 100, low: (score.value - spread) * 100,
        high: (score.value + spread) * 100)
    }
    return IntervalChart(rows, valueTitle: "right answers in %, with 95 % confidence intervals") {
      NumberText.fixed($0, 1)
    }.figure("Right answers of \(model.name)", note: note)
  }

  private func primaryMetrics(_ places: [Int]) -> String {
    let results = report.models.first?.results ?? []
    return places.map { "\(results[$0].name) \(results[$0].primary.metric.rawValue)" }
      .joined(separator: ", ")
  }

  /// One figure per model beside the first.
  private var intervals: [Figure] {
    report.models.dropFirst().map { model in
      let own = report.differences.filter { $0.model == model.name }
      return IntervalChart(
        own.map {
          IntervalChart.Row(
            $0.task ?? "mean", value: $0.difference * 100, low: $0.lower * 100, high: $0.upper * 100
          )
        }, valueTitle: "percentage points", reference: (0, "no difference")
      ) { ($0 > 0 ? "+" : "") + NumberText.fixed($0, 1) }
      .figure(
        "\(model.name) versus \(report.models[0].name)",
        note: "95 % bootstrap intervals over questions.")
    }
  }

  /// A table for each task of several parts.
  private var subjects: [Page.Section] {
    guard let first = report.models.first else { return [] }
    return first.results.enumerated().filter { $1.parts.count > 1 }.map { place, result in
      let rows = result.parts.enumerated().map { part, entry in
        [entry.name, "\(entry.answers.count)"]
          + report.models.map { $0.results[place].parts[part].scores[0].text }
      }
      return Page.Section(
        "Parts of \(result.name)",
        [.table(Table(["part", "questions"] + report.models.map(\.name), rows))])
    }
  }
}
