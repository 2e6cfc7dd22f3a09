import Foundation
public import MoECore
public import MoEModels
import MoERouting
import MoETensor

/// Compares two models, or a model and its quantized form, on the tokens of a text.
///
/// Three figures are kept apart, because they have different causes: *kernel*, how exactly packed products are computed;
/// *runtime*, what that does to the model's scores, token by token as it generates; and *quantization*, what fewer bits did
/// to the model, whatever computes it.
public struct ModelVerification {
  /// The model to compare with.
  public let first: StoredModel
  /// The model that is judged.
  public let second: StoredModel
  /// In which form the second model is opened.
  public let form: WeightForm
  /// Tokens that are compared, read in windows of ``context``.
  public var tokens: [Int]
  /// Tokens of a window.
  public var context = 256
  /// Tokens that are read one by one to compare the packed model with its own numbers.
  public var decodedTokens = 64
  /// Tokens that both generate greedily.
  public var generatedTokens = 64
  /// Whether all scores must be equal bit by bit, which is checked in addition.
  public var comparesBits = false
  /// Whether the second model uses the experts that the first chose.
  public var replaysRouting = false

  /// Why two models cannot be compared.
  public enum Failure: Error, Hashable, CustomStringConvertible {
    /// They do not score the same tokens.
    case otherVocabulary(first: Int, second: Int)
    /// The text is too short.
    case textTooShort(tokens: Int)
    /// A model reads too few tokens together.
    case contextTooShort
    /// Routing cannot be replayed.
    case noReplay

    /// What is wrong and what to change.
    public var description: String {
      switch self {
      case .otherVocabulary(let first, let second):
        "the models have vocabularies of \(first) and \(second) tokens; compare models with the same tokenizer"
      case .textTooShort(let tokens):
        "the text has \(NumberText.counted(tokens, "token")); at least 8 are needed"
      case .contextTooShort:
        "one of the models reads fewer than 2 tokens together, so that none can be scored"
      case .noReplay:
        "routing can be replayed only where tokens choose a fixed number of experts, in two models with the same layers and experts"
      }
    }
  }

  /// Prepares a comparison.
  ///
  /// - Parameters:
  ///   - first: The model to compare with.
  ///   - second: The model that is judged.
  ///   - form: In which form the second model is opened.
  ///   - tokens: Tokens of a text.
  public init(_ first: StoredModel, _ second: StoredModel, as form: WeightForm, tokens: [Int]) {
    (self.first, self.second, self.form, self.tokens) = (first, second, form, tokens)
  }

  /// Compares the models.
  ///
  /// - Parameter progress: Told what is being compared.
  /// - Returns: All figures.
  /// - Throws: ``Failure``, and errors from opening the models.
  public func run(progress: ProgressHandler = { _ in }) throws -> VerificationReport {
    let sizes = (first.configuration.vocabularySize, second.configuration.vocabularySize)
    guard sizes.0 == sizes.1 else { throw Failure.otherVocabulary(first: sizes.0, second: sizes.1) }
    guard tokens.count >= 8 else { throw Failure.textTooShort(tokens: tokens.count) }
    guard context >= 2 else { throw Failure.contextTooShort }
    if replaysRouting { try checkReplay() }
    let kernel = try withoutGradients { try kernels(progress) }
    let runtime = kernel.isEmpty ? nil : try runtime(progress)
    let reference = try first.decoder(as: WeightForm(dtype: .f32, transform: Self.unpacked))
    var exact = form
    exact.dtype = .f32
    exact.transform = Self.unpacked
    let quantization = try fidelity(reference, try second.decoder(as: exact), progress)
    return VerificationReport(
      kernel: kernel, runtime: runtime, quantization: quantization,
      sameBits: comparesBits ? try bits() : nil)
  }

  private static func unpacked(_ name: String, _ weight: PackedWeight) -> any LinearWeight {
    UnpackedWeight(weight)
  }

  private func checkReplay() throws {
    let (a, b) = (first.configuration, second.configuration)
    guard a.router is TokenChoiceRouter, b.router is TokenChoiceRouter,
      a.sparseLayers == b.sparseLayers, a.experts == b.experts,
      a.expertsPerToken == b.expertsPerToken
    else { throw Failure.noReplay }
  }

  // MARK: Kernel

  /// Rows on which the products of a module are compared.
  private static let observedRows = 24

  private func kernels(_ progress: ProgressHandler) throws -> [VerificationReport.Kernel] {
    let inputs = ObservedInputs(limit: Self.observedRows)
    var watched = form
    watched.transform = inputs.observed
    let model = try second.decoder(as: watched)
    guard !inputs.weights.isEmpty else { return [] }
    _ = model.read([part(of: model, 0..<min(context, tokens.count))], as: .prompt)
    var found: [String: VerificationReport.Kernel] = [:]
    for (place, module) in inputs.weights.enumerated() {
      progress(
        Progress("comparing products", completed: place, total: inputs.weights.count))
      guard let x = inputs.inputs(of: module.name) else { continue }
      let format = "\(module.weight.format)"
      // Prompts do not round routers to bf16.
      let weight = module.name.hasSuffix("gate.weight") ? module.weight.precise() : module.weight
      var entry =
        found[format]
        ?? .init(
          format: format, roundedBits: weight.roundedBits, modules: 0, one: 0, few: 0, many: 0)
      let expected = x.cast(to: .f64).linear(module.weight.dequantized().cast(to: .f64))
      func error(_ rows: Int, _ arithmetic: Arithmetic) -> Double {
        Self.error(
          weight.product(x[0..<rows], bias: nil, as: arithmetic), expected[0..<rows])
      }
      entry.modules += 1
      let worst = VerificationReport.worst
      entry.one = worst(entry.one, error(1, .decode))
      entry.few = worst(entry.few, error(min(4, x.size(0)), .decode))
      entry.many = worst(entry.many, error(x.size(0), .prompt))
      found[format] = entry
    }
    return found.values.sorted { $0.format < $1.format }
  }

  /// The length of the difference over that of the result.
  private static func error(_ found: Tensor, _ expected: Tensor) -> Double {
    let difference = found.cast(to: .f64) - expected
    func length(_ x: Tensor) -> Double { (x * x).sum().item(as: Double.self).squareRoot() }
    let size = length(expected)
    return size > 0 ? length(difference) / size : length(difference)
  }

  // MARK: Runtime

  private func runtime(_ progress: ProgressHandler) throws -> VerificationReport.Divergence {
    var form = form
    form.dtype = form.dtype ?? .f32
    let model = try second.decoder(as: form)
    var unpacked = form
    unpacked.transform = Self.unpacked
    let exact = try second.decoder(as: unpacked)
    let caches = (model.makeCache(), exact.makeCache())
    let count = min(decodedTokens, tokens.count)
    return VerificationReport.Divergence(
      tokens.prefix(count).enumerated().flatMap { place, token in
        progress(Progress("reading token by token", completed: place, total: count))
        let found = model.read([SequencePart(tokens: [token], cache: caches.0)], as: .decode)
        let expected = exact.read([SequencePart(tokens: [token], cache: caches.1)], as: .decode)
        return Divergences.between(expected.logits, found.logits)
      })
  }

  // MARK: Quantization

  private func part(of model: MoEDecoder, _ range: Range<Int>) -> SequencePart {
    SequencePart(tokens: Array(tokens[range]), cache: model.makeCache())
  }

  private func windows() -> [Range<Int>] {
    stride(from: 0, to: tokens.count, by: context).map { $0..<min($0 + context, tokens.count) }
      .filter { $0.count > 1 }
  }

  private func fidelity(
    _ reference: MoEDecoder, _ model: MoEDecoder, _ progress: ProgressHandler
  ) throws -> VerificationReport.Fidelity {
    var divergences: [Double] = []
    var (agreed, losses) = (0, (0.0, 0.0))
    // Replayed experts are the same, which says nothing.
    let layers = replaysRouting ? 0 : model.configuration.sparseLayers.count
    var overlap = [Double](repeating: 0, count: layers)
    var scored = 0
    for window in windows() {
      progress(Progress("comparing scores", completed: window.lowerBound, total: tokens.count))
      let a = reference.read([part(of: reference, window)], as: .prompt, lastOnly: false)
      let chosen = replaysRouting ? Self.choices(of: a, reference.configuration) : [:]
      let b = model.read(
        [part(of: model, window)], as: .prompt, lastOnly: false, chosen: chosen)
      divergences += Divergences.between(a.logits, b.logits)
      agreed += Divergences.agreement(a.logits, b.logits)
      losses.0 += Divergences.loss(a.logits, Array(tokens[window]))
      losses.1 += Divergences.loss(b.logits, Array(tokens[window]))
      scored += window.count - 1
      for (layer, pair) in zip(a.sparse, b.sparse).enumerated() where layer < overlap.count {
        guard let share = Self.overlap(pair.0.routing, pair.1.routing) else {
          overlap = []
          break
        }
        overlap[layer] += share * Double(window.count)
      }
    }
    let positions = Double(divergences.count)
    // Texts that differ choose experts of their own, so they are not compared with replayed ones.
    let limit = replaysRouting ? 0 : generatedTokens
    let texts = limit > 0 ? generated(reference, model, progress) : 0
    return .init(
      divergence: .init(divergences), top1Agreement: Double(agreed) / positions,
      routerOverlap: overlap.map { $0 / positions }, firstPerplexity: perplexity(losses.0, scored),
      secondPerplexity: perplexity(losses.1, scored), greedyTokens: texts,
      greedyLimit: limit, replaysRouting: replaysRouting)
  }

  private func perplexity(_ loss: Double, _ count: Int) -> Double {
    exp(loss / Double(count))
  }

  /// The experts of all tokens, by the place of their layer.
  private static func choices(
    of output: MoEDecoder.Output, _ configuration: DecoderConfiguration
  ) -> [Int: [Int]] {
    var chosen: [Int: [Int]] = [:]
    for (layer, sparse) in zip(configuration.sparseLayers, output.sparse) {
      if case .byToken(let experts, _) = sparse.routing.choice { chosen[layer] = experts }
    }
    return chosen
  }

  /// The share of a token's experts that are the same in both, mean over tokens; `nil` where experts choose.
  private static func overlap(_ first: Routing, _ second: Routing) -> Double? {
    guard case .byToken(let a, let k) = first.choice, case .byToken(let b, k) = second.choice,
      a.count == b.count, !a.isEmpty
    else { return nil }
    let same = stride(from: 0, to: a.count, by: k).reduce(0) { sum, start in
      sum + Set(a[start..<start + k]).intersection(b[start..<start + k]).count
    }
    return Double(same) / Double(a.count)
  }

  /// Tokens that both generate greedily from the beginning of the text before the first difference.
  private func generated(
    _ first: MoEDecoder, _ second: MoEDecoder, _ progress: ProgressHandler
  ) -> Int {
    let prompt = Array(tokens.prefix(min(32, tokens.count)))
    func next(_ model: MoEDecoder, _ part: SequencePart, _ arithmetic: Arithmetic) -> Int {
      model.read([part], as: arithmetic).logits.argmax(axis: 1).array(of: Int.self)[0]
    }
    let caches = (first.makeCache(), second.makeCache())
    var tokens = (
      next(first, SequencePart(tokens: prompt, cache: caches.0), .prompt),
      next(second, SequencePart(tokens: prompt, cache: caches.1), .prompt)
    )
    for count in 0..<generatedTokens {
      progress(Progress("generating", completed: count, total: generatedTokens))
      guard tokens.0 == tokens.1 else { return count }
      let token = [tokens.0]
      tokens = (
        next(first, SequencePart(tokens: token, cache: caches.0), .decode),
        next(second, SequencePart(tokens: token, cache: caches.1), .decode)
      )
    }
    return generatedTokens
  }

  // MARK: Bits

  /// Whether prompts and single tokens have the same bits in both models, as they run.
  private func bits() throws -> Bool {
    let models = [
      try first.decoder(as: WeightForm(dtype: form.dtype, activations: form.activations)),
      try second.decoder(as: form),
    ]
    guard models[0].dtype == models[1].dtype else { return false }
    let count = min(context, tokens.count), written = min(decodedTokens, count)
    let found = models.map { model in
      let cache = model.makeCache()
      let single = tokens.prefix(written).map {
        model.read([SequencePart(tokens: [$0], cache: cache)], as: .decode).logits
      }
      let prompt = model.read([part(of: model, 0..<count)], as: .prompt, lastOnly: false).logits
      return (single + [prompt]).map { $0.cast(to: .f32).array(of: Float.self).map(\.bitPattern) }
    }
    return found[0] == found[1]
  }
}
