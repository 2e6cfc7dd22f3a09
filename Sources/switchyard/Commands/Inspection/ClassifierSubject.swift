import MoECore
import ArgumentParser
import MoEEvaluation
import MoEModels
import MoEReport

/// A model that predicts classes or scores, its run, or any other model that neither continues text
/// nor makes images.
struct ClassifierSubject: InspectionSubject {
  private let command: Inspect
  private let location: ModelLocation?

  init?(_ command: Inspect) {
    location = try? ModelLocation(command.input.path)
    let kind = location?.kind
    guard command.labelled.data != nil || (kind != nil && !(kind is LanguageModels.Type)) else {
      return nil
    }
    self.command = command
  }

  func inspect() throws {
    if let data = command.labelled.data { return try report(on: data) }
    guard let location else { return }
    try command.refuseComparison()
    guard command.texts.text.isEmpty else {
      throw ValidationError(
        "\(command.input.path) is not a language model; --text is for models that continue texts.")
    }
    let isAsked = location.kind is TextClassifiers.Type
    try command.describe(
      location, needing: "labelled texts; add --data",
      hint: isAsked
        ? "To see its experts: switchyard inspect \(command.input.path) --data PATH" : nil)
  }

  private func report(on data: PathArgument) throws {
    let options = command.labelled
    let report = try SettingError.renaming(["format": "--format", "against": "--against"]) {
      try ClassifierReport(
        of: command.input.path, on: data.path, format: options.format,
        against: command.against?.path, examples: options.examples)
    }
    try command.finish(
      report, text: ClassifierText(report: report).text, page: ClassifierPage(report).page)
  }
}
