public import MoECore
import MoEData
public import MoEModels
import MoETensor
public import MoETokenizers
public import MoETracing
public import SystemPackage

/// Texts that language models read while it is recorded what their routers choose.
public struct TextRecording: Sendable {
  private let texts: [FilePath]
  private let tokens: Int?
  private let window: Int?
  private let generated: Int
  private let weights: Bool

  /// Tokens of a window where no number is given, unless the model's context is shorter.
  private static let usualWindow = 512

  /// Describes a recording; the texts are read when it is made, as far as they are needed.
  ///
  /// - Parameters:
  ///   - texts: Files with text, UTF-8.
  ///   - tokens: The most tokens to record of each; `nil` for all.
  ///   - window: Tokens that are read together, each such window a sequence of the trace; `nil` for what fits the
  ///     model's context, at most 512.
  ///   - generated: Tokens that a model adds to each window.
  ///   - weights: Whether to record the weights of the choices, too.
  /// - Throws: `FileError` for a text that is not there.
  public init(
    _ texts: [FilePath], tokens: Int? = nil, window: Int? = nil, generated: Int = 0,
    weights: Bool = false
  ) throws {
    for path in texts { _ = try MappedFile(path) }
    self.texts = texts
    (self.tokens, self.window) = (tokens, window)
    (self.generated, self.weights) = (generated, weights)
  }

  /// Records a model into a file.
  ///
  /// - Parameters:
  ///   - model: Path of the model or of its training run.
  ///   - form: In which form its weights are opened.
  ///   - path: The trace to write.
  ///   - progress: Told how far each text has been read.
  /// - Returns: The number of recorded tokens.
  /// - Throws: `SettingError` when windows do not fit the model's context; `DataError` that names a line that is not
  ///   text; `ModelError`, `ConfigurationError`,
  ///   `TokenizerError`, `TracingError` or `FileError`.
  public func record(
    _ model: FilePath, as form: (StoredModel) throws -> WeightForm = { _ in WeightForm() },
    to path: FilePath, progress: ProgressHandler = { _ in }
  ) throws -> Int {
    let stored = try StoredModel(model)
    return try record(
      stored, stored.checkedTokenizer(), as: { try form(stored) },
      name: model.lastComponent?.string, to: path, progress)
  }

  /// Records a model into a file that is gone afterwards.
  ///
  /// - Parameters:
  ///   - model: Path of the model or of its training run.
  ///   - dtype: Type to compute in; `nil` for that of the checkpoint.
  ///   - progress: Told how far each text has been read.
  ///   - body: What to do with the trace and the model's tokenizer.
  /// - Throws: As ``record(_:as:to:progress:)``, and what the body throws.
  public func withTrace(
    of model: FilePath, dtype: DType? = nil, progress: ProgressHandler = { _ in },
    _ body: (RoutingTrace, Tokenizer) throws -> Void
  ) throws {
    let folder = try ScratchFolder()
    defer { folder.remove() }
    let path = folder.path.appending("trace.safetensors")
    let stored = try StoredModel(model)
    let tokenizer = try stored.checkedTokenizer()
    _ = try record(
      stored, tokenizer, as: { WeightForm(dtype: dtype) }, name: model.lastComponent?.string,
      to: path, progress)
    try body(RoutingTrace(path), tokenizer)
  }

  /// Records the models of several steps of a training into files that are gone afterwards.
  ///
  /// - Parameters:
  ///   - models: Steps, and the paths of their models.
  ///   - dtype: Type to compute in; `nil` for that of the checkpoints.
  ///   - progress: Told how far each text has been read.
  ///   - body: What to do with the steps and their traces.
  /// - Throws: As ``record(_:as:to:progress:)``, and what the body throws.
  public func withTraces(
    of models: [(step: Int, path: FilePath)], dtype: DType? = nil,
    progress: ProgressHandler = { _ in },
    _ body: ([(step: Int, trace: RoutingTrace)]) throws -> Void
  ) throws {
    let folder = try ScratchFolder()
    defer { folder.remove() }
    let traces = try models.map { step, model in
      let path = folder.path.appending("step-\(step).safetensors")
      _ = try record(
        model, as: { _ in WeightForm(dtype: dtype) }, to: path, progress: progress)
      return (step: step, trace: try RoutingTrace(path))
    }
    try body(traces)
  }

  private func record(
    _ stored: StoredModel, _ tokenizer: Tokenizer, as form: () throws -> WeightForm, name: String?,
    to path: FilePath, _ progress: ProgressHandler
  ) throws -> Int {
    // Before weights are packed, which may take long.
    let window = try window(for: stored.configuration)
    let form = try form()
    let model = try stored.decoder(as: form)
    let recorder = TraceRecorder(
      path, model: form.packing == nil ? name : name.map { "\($0), quantized" },
      source: "switchyard trace", sources: texts.map(\.textName),
      weights: weights)
    for (source, path) in texts.enumerated() {
      var text = try TextTokens(path, tokenizer)
      var count = 0
      while case let part = try text.next(min(window, (tokens ?? .max) - count)), !part.isEmpty {
        recorder.beginSequence(source: source, promptLength: part.count)
        try read(part, from: count, model, tokenizer, recorder)
        count += part.count
        let done = max(text.fractionTaken, fraction(of: count))
        progress(Progress("tracing", completed: Int(done * 1_000), total: 1_000))
      }
    }
    try recorder.finish()
    return recorder.tokenCount
  }

  /// The recorded fraction of the tokens of a text that are wanted; 0 if all are.
  private func fraction(of count: Int) -> Double { tokens.map { Double(count) / Double($0) } ?? 0 }

  private func window(for configuration: DecoderConfiguration) throws(SettingError) -> Int {
    let limit = configuration.contextLength
    let window = window ?? max(1, min(Self.usualWindow, limit - min(generated, limit)))
    guard generated <= limit, window <= limit - generated else {
      throw SettingError(
        key: "context", value: "\(window), and \(generated) tokens are generated",
        expected: "lower, or fewer be generated: the model's context is \(limit)")
    }
    return window
  }

  private func read(
    _ part: [Int], from start: Int, _ model: MoEDecoder, _ tokenizer: Tokenizer,
    _ recorder: TraceRecorder
  ) throws {
    guard generated > 0 else {
      let output = withoutGradients {
        model(Tensor(part, shape: [1, part.count]), scoring: .last, observer: recorder)
      }
      // Gates see every token, the scores only what reaches the last one.
      for scores in [output.logits] + output.sparse.map(\.logits) {
        try model.check(scores, of: part, from: start)
      }
      return
    }
    var generator = TextGenerator(
      model, prompt: part, sampler: Sampler(try SamplingSettings(temperature: 0), seed: 0),
      tokenCount: tokenizer.vocabularyCount, observer: recorder)
    // One more is chosen than read, so the last chosen token is not part of the trace.
    for _ in 0...generated where try generator.next() == nil { break }
  }
}
