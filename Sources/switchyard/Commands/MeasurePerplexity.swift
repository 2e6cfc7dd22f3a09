public import ArgumentParser
import Foundation
import MoECore
public import MoEEvaluation
import MoEModels
import MoETokenizers
import SystemPackage

struct MeasurePerplexity: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "perplexity",
    abstract: "Measure how well a model predicts a text, by one of four protocols.",
    discussion: """
      Figures of different protocols differ for the same model and text, so the answer names its own:

        strided    windows of --context tokens begin every --stride tokens, and each token is scored once, in the first \
      window that holds it and what precedes it
        lm-eval    lm-evaluation-harness' rolling windows of all that the model reads: every token is scored, the first \
      after the token that begins a text; per word and byte, too
        gptq       whole windows of 2,048 tokens that do not overlap, as papers on quantization have it
        llama.cpp  whole windows of 512 tokens that do not overlap, of which the second half is scored

      Lower is better; bits per byte, over the bytes of the scored tokens, compare models with different tokenizers. \
      --against adds the Kullback-Leibler divergence from another model with the same tokens, in nats per position: how \
      far what a model predicts is from what the other does. --json prints all digits.

      Examples:
        switchyard perplexity MODEL --text book.txt --context 1024 --stride 512
        switchyard perplexity MODEL-3bit --text book.txt --protocol gptq --against MODEL
      """)

  @OptionGroup var arguments: ModelArguments
  @OptionGroup var products: ProductsOption
  @Option(help: "File with the text, UTF-8.", completion: .file()) var text: PathArgument
  @Option(
    name: .customLong("protocol"),
    help: "How the text is cut into windows, and which tokens are scored.")
  var style = PerplexityProtocol.strided
  @Option(
    help:
      "Tokens per window (default: 2048, of lm-eval what the model reads, of llama.cpp 512; at most what the model reads)."
  )
  var context: Int?
  @Option(help: "Tokens between the starts of windows, of strided only (default: the context).")
  var stride: Int?
  @Option(
    help:
      "Windows that are read together, which changes no digit in f32 and bf16 (default: as many as have 2048 tokens; 1 for other types)."
  )
  var batch: Int?
  @Option(help: "Another model, from which the divergence is measured.", completion: .file())
  var against: PathArgument?
  @Flag(help: "Print one JSON object instead of text.") var json = false

  func validate() throws {
    guard context ?? 2 >= 2 else {
      throw ValidationError("--context is \(context ?? 0); it must be at least 2.")
    }
    guard stride == nil || style == .strided else {
      throw ValidationError("--stride goes with --protocol strided.")
    }
    guard 1...max(1, context ?? .max) ~= stride ?? 1 else {
      throw ValidationError(
        "--stride is \(stride ?? 0); it must be at least 1 and at most the context.")
    }
    guard batch ?? 1 >= 1 else { throw ValidationError("--batch must be at least 1.") }
  }

  func run() throws {
    let content = try readText(text.path)
    var measured: (text: PerplexityText, settings: Perplexity.Settings)?
    var vocabulary = 0
    func prepare(_ model: StoredModel, _ tokenizer: Tokenizer) throws {
      let limit = model.configuration.contextLength
      let prepared = (
        text: try PerplexityText(content, for: model, tokenizer, by: style),
        settings: Perplexity.Settings(
          style, context: context ?? style.usualContext(limit: limit), stride: stride, batch: batch)
      )
      let own = model.configuration.vocabularySize
      if let measured {
        guard measured.text.tokens == prepared.text.tokens else {
          throw ModelVerification.Failure.otherTokenizer
        }
        guard vocabulary == own else {
          throw ModelVerification.Failure.otherVocabulary(first: vocabulary, second: own)
        }
      }
      (measured, vocabulary) = (measured ?? prepared, own)
      try measured.map { try Perplexity.check(model.configuration, $0.text, $0.settings) }
    }
    let (model, _) = try arguments.open(products: products, checking: prepare)
    let reference = try against.map {
      try arguments.weights.plain.open($0.path, products: products, checking: prepare).decoder
    }
    guard let measured else { return }
    let progress = ProgressLine(showsTimeLeft: true)
    defer { progress.end() }
    let result = try Perplexity.measure(
      model, measured.text, measured.settings, beside: reference, progress: progress.show)
    progress.end()
    try json ? Output.json(result) : show(result, of: measured.text)
  }

  private func show(_ result: Perplexity, of text: PerplexityText) {
    Output.line("perplexity     \(NumberText.fixed(result.perplexity, 4))")
    Output.line("protocol       \(result.protocol.rawValue)")
    let bits = result.bitsPerByte.map { NumberText.fixed($0, 4) } ?? "undefined"
    Output.line("bits per byte  \(bits)")
    if let word = result.wordPerplexity, let byte = result.bytePerplexity {
      Output.line("per word       \(NumberText.fixed(word, 4))")
      Output.line("per byte       \(NumberText.fixed(byte, 4))")
    }
    if let first = text.first { Output.line("first token    \(first)") }
    Output.line("tokens scored  \(result.scoredTokens) of \(text.tokens.count)")
    Output.line("context        \(result.context) tokens, a window every \(result.stride)")
    guard let divergence = result.divergence, let against else { return }
    Output.line("divergence from \(against.path.lastComponent?.string ?? "")")
    Output.line("  mean         \(NumberText.short(divergence.mean))")
    for (name, value) in [
      ("99 %  ", divergence.percentile99), ("99.9 %", divergence.percentile999),
    ] {
      Output.line("  \(name)       \(value.map { NumberText.short($0) } ?? "too few positions")")
    }
    Output.line("  largest      \(NumberText.short(divergence.largest))")
  }
}

extension PerplexityProtocol: ExpressibleByArgument {}
