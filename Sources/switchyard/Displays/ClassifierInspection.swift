import MoEData
import MoEEvaluation
import ArgumentParser
import MoECore
import MoEReport
import MoETracing
import MoETraining
import SystemPackage

/// Options of 'inspect' for models that answer with classes or scores, or make images.
struct LabelledDataOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "For a model for classes or scores: texts with known answers. For one that makes images: images by class.",
      valueName: "path"), completion: .file()) var data: PathArgument?
  @Option(
    help: ArgumentHelp("For images in the format of MNIST: their labels.", valueName: "file"),
    completion: .file()) var labels: PathArgument?
  @Option(
    help: ArgumentHelp(
      "Format of --data: \(TextDataFormat.allCases.map(\.rawValue).joined(separator: ", ")) (default: by the model's classes).",
      valueName: "format"), transform: format)
  var format: TextDataFormat?
  @Option(help: "Texts to show per expert.") var examples = 3

  private static func format(_ text: String) throws -> TextDataFormat {
    guard let format = TextDataFormat(rawValue: text) else {
      let known = TextDataFormat.allCases.map(\.rawValue).joined(separator: ", ")
      throw ValidationError("--format is '\(text)'; it must be one of \(known).")
    }
    return format
  }

  func validate() throws {
    guard 0...1_000 ~= examples else { throw ValidationError("--examples must be in 0…1000.") }
  }

  /// The images of ``data``, if there are any.
  var images: ImageFiles? { data.map { ImageFiles([$0.path], labels: labels?.path) } }

  /// Shows what a model does with the data, if there are any; tells whether it did.
  func inspect(
    _ model: FilePath, against other: FilePath?, json: Bool, html: FilePath?
  ) throws
    -> Bool
  {
    guard let data else { return false }
    let report = try SettingError.renaming(["format": "--format", "against": "--against"]) {
      try ClassifierReport(
        of: model, on: data.path, format: format, against: other, examples: examples)
    }
    if let html { try ClassifierPage(report).page.writeInspection(to: html) }
    if json {
      try Output.json(report)
    } else {
      Output.line(ClassifierText(report: report).text)
      if let html { Output.line("\nfigures in \(html)") }
    }
    return true
  }
}

/// A report as people read it in a terminal.
private struct ClassifierText {
  let report: ClassifierReport

  var text: String { [summary, experts, groups, examples].joined(separator: "\n\n") }

  private var summary: String {
    let cut = report.truncated > 0 ? ", \(report.truncated) cut off" : ""
    let time = NumberText.fixed(report.millisecondsPerText, 2)
    let values = report.values.map { [$0.name, NumberText.fixed($0.value, 4)] }
    return "\(report.texts) texts\(cut); \(time) ms for one text alone\n\n"
      + TextTable(header: ["measure", "value"], rows: values).text
  }

  private var experts: String {
    TextTable(
      header: ["expert", "kind", "mean share", "accuracy", "usage"],
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
      return (["expert \(expert.number) (\(expert.kind)) is surest of:"] + lines).joined(
        separator: "\n")
    }.joined(separator: "\n")
  }

  private func percent(_ value: Double) -> String { NumberText.percent(value) }
}
