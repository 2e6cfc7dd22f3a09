import ArgumentParser
import MoEModels

struct Info: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Show what a model folder or GGUF file contains, and what is wrong with it.",
    discussion: """
      Only headers are read, so this is quick for models of any size. The exit code is 1 if the \
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
