import MoETokenizers
import ArgumentParser
import Foundation
import MoECore
import MoEModels
import MoETensor
import MoETracing
import SystemPackage

/// Which texts a model reads to be traced, and how.
struct TextOptions: ParsableArguments {
  @Option(help: "File with text, UTF-8; may be given several times.", completion: .file())
  var text: [PathArgument] = []
  @Option(help: "The most tokens to record of each text (default: all).") var tokens: Int?
  @Option(help: "Tokens per window (default: what fits the model's context, at most 512).")
  var context: Int?

  func validate() throws {
    guard tokens ?? 1 >= 1 else { throw ValidationError("--tokens must be at least 1.") }
    guard context ?? 1 >= 1 else { throw ValidationError("--context must be at least 1.") }
  }
}

/// Reads texts with models and records what their routers choose.
struct TextRecording {
  private let options: TextOptions
  private let contents: [String]
  private let generate: Int
  private let weights: Bool

  /// Reads the texts.
  init(_ options: TextOptions, generate: Int = 0, weights: Bool = false) throws {
    contents = try options.text.map { try readText($0.path) }
    (self.options, self.generate, self.weights) = (options, generate, weights)
  }

  /// Records a model into a file, and returns the number of tokens.
  func record(_ arguments: ModelArguments, to path: FilePath) throws -> Int {
    let model = try arguments.open()
    return try record(
      model, arguments.tokenizer(for: model), name: arguments.model.path.lastComponent?.string,
      to: path)
  }

  /// Records a model into a file that is gone afterwards.
  func withTrace(
    of arguments: ModelArguments, _ body: (RoutingTrace, Tokenizer) throws -> Void
  ) throws {
    let folder = try TemporaryTraces()
    defer { folder.remove() }
    let path = folder.path.appending("trace.safetensors")
    let model = try arguments.open()
    let tokenizer = try arguments.tokenizer(for: model)
    _ = try record(model, tokenizer, name: arguments.model.path.lastComponent?.string, to: path)
    try body(RoutingTrace(path), tokenizer)
  }

  private func record(
    _ model: MoEDecoder, _ tokenizer: Tokenizer, name: String?, to path: FilePath
  ) throws -> Int {
    let limit = model.configuration.contextLength
    let window = options.context ?? max(1, min(512, limit - generate))
    guard window + generate <= limit else {
      throw TracingError.invalidRequest(
        "a window of \(window) and \(generate) generated tokens exceed the model's context of \(limit); lower --context or --generate"
      )
    }
    let recorder = TraceRecorder(
      path, model: name, source: "switchyard trace",
      sources: options.text.map { $0.path.lastComponent?.string ?? "" }, weights: weights)
    let progress = ProgressLine()
    defer { progress.end() }
    for (source, content) in contents.enumerated() {
      let all = tokenizer.encode(content)
      let ids = Array(all.prefix(options.tokens ?? all.count))
      for start in stride(from: 0, to: ids.count, by: window) {
        let part = Array(ids[start..<min(start + window, ids.count)])
        recorder.beginSequence(source: source, promptLength: part.count)
        try read(part, model, tokenizer, recorder)
        progress.show(Progress("tracing", completed: start + part.count, total: ids.count))
      }
    }
    try recorder.finish()
    return recorder.tokenCount
  }

  private func read(
    _ part: [Int], _ model: MoEDecoder, _ tokenizer: Tokenizer, _ recorder: TraceRecorder
  ) throws {
    guard generate > 0 else {
      withoutGradients {
        _ = model(Tensor(part, shape: [1, part.count]), lastOnly: true, observer: recorder)
      }
      return
    }
    var generator = TextGenerator(
      model, prompt: part, sampler: Sampler(try SamplingSettings(temperature: 0), seed: 0),
      tokenCount: tokenizer.vocabularyCount, observer: recorder)
    // One more is chosen than read, so the last chosen token is not part of the trace.
    for _ in 0...generate where generator.next() == nil { break }
  }
}
