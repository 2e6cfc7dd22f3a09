import ArgumentParser
import MoEEvaluation

/// The texts that a traced model reads, and how.
struct TextOptions: ParsableArguments {
  @Option(
    help: "File with text, UTF-8, or - for standard input; may be given several times.",
    completion: .file())
  var text: [PathArgument] = []
  @Option(help: "Maximum number of tokens to record of each text (default: all).") var tokens: Int?
  @Option(help: "Tokens per window (default: what fits the model's context, at most 512).")
  var context: Int?

  /// Option names of the settings of a ``TextRecording``.
  static let flags = ["context": "--context"]

  func validate() throws {
    guard tokens ?? 1 >= 1 else { throw ValidationError("--tokens must be at least 1.") }
    guard context ?? 1 >= 1 else { throw ValidationError("--context must be at least 1.") }
  }

  /// Reads the texts.
  func recording(generate: Int = 0, weights: Bool = false) throws -> TextRecording {
    try TextRecording(
      text.map { try StandardInput.file(for: $0.path) }, tokens: tokens, window: context,
      generated: generate, weights: weights)
  }
}
