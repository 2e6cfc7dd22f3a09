import Foundation
import MoECore
import MoEEvaluation

/// A report as text for a terminal.
struct ClassifierText {
  let report: ClassifierReport

  var text: String {
    [summary, classes, confusion, experts, groups, examples].compactMap(\.self)
      .joined(separator: "\n\n")
  }

  private var summary: String {
    let cut = report.truncated > 0 ? ", \(report.truncated) truncated" : ""
    let time = NumberText.fixed(report.millisecondsPerText, 2)
    let values = report.values.map { [$0.name, fixed($0.value)] }
    return "\(counted(report.texts, "text"))\(cut); \(time) ms for one text alone\n\n"
      + TextTable(header: ["measure", "value"], rows: values).text
  }

  private var classes: String? {
    report.classes.map { quality in
      TextTable(
        header: ["class", "texts", "predicted", "precision", "recall", "F1"],
        rows: quality.classes.map {
          [
            $0.name.printable, "\($0.actual)", "\($0.predicted)", fixed($0.precision),
            fixed($0.recall), fixed($0.f1),
          ]
        }
      ).text
    }
  }

  /// With more classes, only the page and JSON hold the whole matrix.
  private static let widestMatrix = 12

  private var confusion: String? {
    guard let quality = report.classes else { return nil }
    let names = quality.classes.map(\.name.printable)
    if names.count <= Self.widestMatrix {
      return TextTable(
        header: ["texts of, predicted as"] + names.map { String($0.prefix(16)) },
        rows: zip(names, quality.confusion).map { [$0] + $1.map(String.init) }
      ).text
    }
    let mistakes = quality.confusion.enumerated().flatMap { row, counts in
      counts.enumerated().map { (count: $1, actual: row, predicted: $0) }
    }.filter { $0.count > 0 && $0.actual != $0.predicted }
    let worst = mistakes.sorted {
      (-$0.count, $0.actual, $0.predicted) < (-$1.count, $1.actual, $1.predicted)
    }.prefix(Self.widestMatrix)
    return TextTable(
      header: ["most frequent mistakes: texts of", "predicted as", "number"],
      rows: worst.map { [names[$0.actual], names[$0.predicted], "\($0.count)"] }
    ).text
  }

  private var experts: String {
    TextTable(
      header: ["expert", "kind", "mean weight", "accuracy", "usage"],
      rows: report.experts.map {
        [
          "\($0.number)", $0.kind, percent($0.share), accuracy($0),
          percent($0.usage),
        ]
      }
    ).text
  }

  private var groups: String {
    TextTable(
      header: ["texts of", "number"] + report.experts.map { "expert \($0.number)" },
      rows: report.groups.map {
        let usage = $0.usage?.map(percent) ?? report.experts.map { _ in "undefined" }
        return [$0.name.printable, "\($0.texts)"] + usage
      }
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

  /// An expert's accuracy; scores have none.
  private func accuracy(_ expert: ClassifierReport.Expert) -> String {
    expert.accuracy.map(percent) ?? (report.classes == nil ? "–" : "undefined")
  }

  private func fixed(_ value: Double?) -> String {
    value.map { NumberText.fixed($0, 4) } ?? "undefined"
  }

  private func percent(_ value: Double) -> String { NumberText.percent(value) }
}
