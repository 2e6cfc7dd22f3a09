import MoETokenizers
import ArgumentParser
import Foundation
import MoECore
import MoEEvaluation
import MoEModels

struct MeasurePerplexity: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "perplexity",
    abstract: "Measure how well a model predicts a text.",
    discussion: """
      Windows of --context tokens begin every --stride tokens, and each token is scored once, in the \
      first window that holds it. Lower is better; bits per byte, over the bytes of the scored tokens, \
      compare models with different tokenizers. --json prints all digits.

      Example:
        switchyard perplexity MODEL --text book.txt --context 1024 --stride 512
      """)

  @OptionGroup var arguments: ModelArguments
  @Option(help: "File with the text, UTF-8.", completion: .file()) var text: PathArgument
  @Option(help: "Tokens per window (default: the model's context length, at most 2048).")
  var context: Int?
  @Option(help: "Tokens between the starts of windows (default: the context).") var stride: Int?
  @Option(
    help:
      "Windows that are read together, which changes no digit in f32 and bf16 (default: as many as have 2048 tokens; 1 for other types)."
  )
  var batch: Int?
  @Flag(help: "Print one JSON object instead of text.") var json = false

  func validate() throws {
    guard context ?? 2 >= 2 else {
      throw ValidationError("--context is \(context ?? 0); it must be at least 2.")
    }
    guard 1...max(1, context ?? .max) ~= stride ?? 1 else {
      throw ValidationError(
        "--stride is \(stride ?? 0); it must be at least 1 and at most the context.")
    }
    guard batch ?? 1 >= 1 else { throw ValidationError("--batch must be at least 1.") }
  }

  func run() throws {
    let content = try readText(text.path)
    var (tokens, window) = ([Int](), 0)
    let (model, tokenizer) = try arguments.open {
      tokens = $1.encode(content)
      window = context ?? min(2048, $0.configuration.contextLength)
      try Perplexity.check(
        $0.configuration, tokens: tokens, context: window, stride: stride ?? window)
    }
    let progress = ProgressLine()
    defer { progress.end() }
    let result = try Perplexity.measure(
      model, tokens: tokens, bytes: content.utf8.count,
      byteCounts: tokenizer.byteCounts(of: tokens), context: window, stride: stride ?? window,
      batch: batch,
      progress: progress.show)
    progress.end()
    if json {
      try Output.json(result)
    } else {
      Output.line("perplexity     \(NumberText.fixed(result.perplexity, 4))")
      let bits = result.bitsPerByte.map { NumberText.fixed($0, 4) } ?? "undefined"
      Output.line("bits per byte  \(bits)")
      Output.line("tokens scored  \(result.scoredTokens) of \(tokens.count)")
      Output.line("context        \(result.context) tokens, a window every \(result.stride)")
    }
  }
}
