import ArgumentParser
import MoEModels

struct Info: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say what a model folder or GGUF file holds, and what is wrong with it.",
    discussion: """
      Nothing but headers is read, so this is quick for models of any size. The exit code is 1 if the \
      model cannot be opened.

      Examples:
        switchyard info Data/bible-moe
        switchyard info model.gguf --json
      """)

  @Argument(help: "Folder of a model or of its training run, or a GGUF file.", completion: .file())
  var model: PathArgument
  @Flag(help: "Print one JSON object instead of text.") var json = false

  func run() throws {
    let summary = try ModelSummary(model.path)
    try json ? Output.json(summary) : Output.line(summary.text)
  }
}
