import ArgumentParser
import Foundation
import MoECore
import MoEModels
import MoETensor
import MoETracing
import SystemPackage

struct Trace: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Record which experts the tokens of a text choose.",
    discussion: """
      The text is read in windows of --context tokens, each a sequence of the trace. With --generate, each \
      window is a prompt that the model continues, and the trace says which tokens it made itself. \
      A training run keeps snapshots at the steps of checkpoints.snapshots: trace each to see affinity grow.
      """)

  @OptionGroup var arguments: ModelArguments
  @Option(help: "File with text, UTF-8; may be given several times.", completion: .file())
  var text: [PathArgument]
  @Option(help: "Trace to write.", completion: .file(extensions: ["safetensors"])) var out:
    PathArgument
  @Option(help: "The most tokens to record of each text (default: all).") var tokens: Int?
  @Option(help: "Tokens per window (default: what fits the model's context, at most 512).")
  var context: Int?
  @Option(help: "Tokens to generate after each window (default: 0).") var generate = 0
  @Flag(help: "Record the weights of the choices as well.") var weights = false
  @Flag(help: "Print one JSON object instead of text.") var json = false

  func validate() throws {
    guard !text.isEmpty else { throw ValidationError("--text is missing; name a file with text.") }
    guard tokens ?? 1 >= 1 else { throw ValidationError("--tokens must be at least 1.") }
    guard context ?? 1 >= 1 else { throw ValidationError("--context must be at least 1.") }
    guard generate >= 0 else { throw ValidationError("--generate must be at least 0.") }
  }

  private struct Summary: Encodable {
    var trace: String
    var tokens: Int
  }

  func run() throws {
    let contents = try text.map { try readText($0.path) }
    let model = try arguments.open()
    let tokenizer = try arguments.tokenizer(for: model)
    let limit = model.configuration.contextLength
    let window = context ?? max(1, min(512, limit - generate))
    guard window + generate <= limit else {
      throw TracingError.invalidRequest(
        "a window of \(window) and \(generate) generated tokens exceed the model's context of \(limit); lower --context or --generate"
      )
    }
    let recorder = TraceRecorder(
      out.path, model: arguments.model.path.lastComponent?.string,
      source: "switchyard trace", sources: text.map { $0.path.lastComponent?.string ?? "" },
      weights: weights)
    let progress = ProgressLine()
    defer { progress.end() }
    for (source, content) in contents.enumerated() {
      let all = tokenizer.encode(content)
      let ids = Array(all.prefix(tokens ?? all.count))
      for start in stride(from: 0, to: ids.count, by: window) {
        let part = Array(ids[start..<min(start + window, ids.count)])
        recorder.beginSequence(source: source, promptLength: part.count)
        try read(part, model, tokenizer, recorder)
        progress.show(Progress("tracing", completed: start + part.count, total: ids.count))
      }
    }
    progress.end()
    try recorder.finish()
    if json {
      try Output.json(Summary(trace: out.path.string, tokens: recorder.tokenCount))
    } else {
      Output.line("\(recorder.tokenCount) tokens recorded in \(out.path)")
    }
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
