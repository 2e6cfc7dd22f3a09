import MoECore
import MoEEvaluation

/// What models answered, as lines of text.
struct EvaluationText {
  private let report: EvaluationReport

  init(_ report: EvaluationReport) { self.report = report }

  var lines: [String] {
    var lines = [table]
    lines += report.leadingTokens
    if !report.differences.isEmpty { lines += ["", differences] }
    lines += report.notes.map { "note: \($0)" }
    return lines
  }

  /// A row per task and metric, a column per model.
  private var table: String {
    TextTable(header: report.header, rows: report.rows).text
  }

  private var differences: String {
    TextTable(header: PairedDifference.header, rows: report.differences.map(\.cells)).text
  }
}
