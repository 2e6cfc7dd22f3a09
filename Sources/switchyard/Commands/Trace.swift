import MoECore
import ArgumentParser
import MoEEvaluation
import MoEModels
import SystemPackage

struct Trace: WritesFiles {
  static let configuration = CommandConfiguration(
    abstract: "Record which experts the tokens of a text choose.",
    discussion: """
      The text is read in windows of --context tokens, each a sequence of the trace. With --generate, each \
      window is a prompt that the model continues, and the trace says which tokens it made itself. \
      'switchyard inspect RUN --text FILE' traces all snapshots of a training run and shows affinity grow.

      Examples:
        switchyard trace MODEL --text book.txt --text code.txt --tokens 20000 --out trace.safetensors
        switchyard trace MODEL --text prompts.txt --context 64 --generate 64 --out written.safetensors
      """)

  @OptionGroup var arguments: ModelArguments
  @OptionGroup var rounding: RoundingOption
  @OptionGroup var texts: TextOptions
  @Option(help: "Trace to write.", completion: .file(extensions: ["safetensors"])) var out:
    PathArgument
  @Option(help: "Tokens to generate after each window (default: 0).") var generate = 0
  @Flag(help: "Record the weights of the choices as well.") var weights = false
  @OptionGroup var files: OverwriteOption
  @Flag(help: "Print one JSON object instead of text.") var json = false

  func validate() throws {
    guard !texts.text.isEmpty else {
      throw ValidationError("--text is missing; name a file with text.")
    }
    guard generate >= 0 else { throw ValidationError("--generate must be at least 0.") }
  }

  private struct Summary: Encodable {
    var trace: String
    var tokens: Int
  }

  func run() throws {
    try files.check(out.path, inputs: [arguments.model.path] + texts.text.map(\.path))
    let recording = try texts.recording(generate: generate, weights: weights)
    arguments.engine.apply()
    Output.warn(ofFilesAt: arguments.model.path)
    let progress = ProgressLine()
    defer { progress.end() }
    let tokens = try SettingError.renaming(TextOptions.flags) {
      try recording.record(
        arguments.model.path,
        as: { try arguments.form(of: $0, activations: rounding.precision, progress) }, to: out.path,
        progress: progress.show)
    }
    progress.end()
    if json {
      try Output.json(Summary(trace: out.path.string, tokens: tokens))
    } else {
      Output.line("\(counted(tokens, "token")) recorded in \(out.path)")
    }
  }
}
