import Foundation
import MoECore
import MoEEvaluation

/// A report as text for a terminal.
struct ClassifierText {
  let report: ClassifierReport

  var text: String { [summary, experts, groups, examples].joined(separator: "\n\n") }

  private var summary: String {
    let cut = report.truncated > 0 ? ", \(report.truncated) truncated" : ""
    let time = NumberText.fixed(report.millisecondsPerText, 2)
    let values = report.values.map { [$0.name, NumberText.fixed($0.value, 4)] }
    return "\(report.texts) texts\(cut); \(time) ms for one text alone\n\n"
      + TextTable(header: ["measure", "value"], rows: values).text
  }

  private var experts: String {
    TextTable(
      header: ["expert", "kind", "mean weight", "accuracy", "usage"],
      rows: report.experts.map {
        [
          "\($0.number)", $0.kind, percent($0.share), $0.accuracy.map(percent) ?? "–",
          percent($0.usage),
        ]
      }
    ).text
  }

  private var groups: String {
    TextTable(
      header: ["texts of", "number"] + report.experts.map { "expert \($0.number)" },
      rows: report.groups.map { [$0.name.printable, "\($0.texts)"] + $0.usage.map(percent) }
    ).text
  }

  private var examples: String {
    report.experts.map { expert in
      let lines = expert.examples.map {
        "  \(percent($0.share))  \($0.actual) → \($0.predicted)  \($0.text.prefix(160))".printable
      }
      return (["expert \(expert.number) (\(expert.kind)) is most confident about:"] + lines).joined(
        separator: "\n")
    }.joined(separator: "\n")
  }

  private func percent(_ value: Double) -> String { NumberText.percent(value) }
}
