import MoECore
import MoEEvaluation
import MoEModels
import MoETracing

/// A language model that reads a text.
struct LanguageSubject: InspectionSubject {
  private let command: Inspect
  private let location: ModelLocation

  /// Also accepts models of unknown kinds, so that opening them reports what is wrong.
  init?(_ command: Inspect) {
    guard let location = try? ModelLocation(command.input.path) else { return nil }
    (self.command, self.location) = (command, location)
  }

  func inspect() throws {
    try command.refuseComparison()
    guard !command.texts.text.isEmpty else {
      return try command.describe(
        location, needing: "a text; add --text",
        hint: "To see its routing: switchyard inspect \(command.input.path) --text FILE")
    }
    let recording = try command.texts.recording()
    let progress = ProgressLine()
    defer { progress.end() }
    try SettingError.renaming(TextOptions.flags) {
      try recording.withTrace(
        of: command.input.path, dtype: command.dtype?.dtype, progress: progress.show
      ) { trace, tokenizer in
        progress.end()
        try command.show(.trace(trace), tokenizer)
      }
    }
  }
}
