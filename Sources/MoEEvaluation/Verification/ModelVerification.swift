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
  public private(set) var form: WeightForm
  /// Tokens that are compared, read in windows of ``context``.
  public var tokens: [Int]
  /// Tokens of a window, at most what both models read together.
  public var context: Int
  /// Tokens that are read one by one to compare the packed model with its own numbers, at most ``context``.
  public var decodedTokens: Int
  /// Tokens that both generate greedily after a prompt of ``promptLength``.
  public var generatedTokens: Int
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
    /// A number of tokens does not fit a model's context.
    case outsideContext(name: String, tokens: Int, range: ClosedRange<Int>)
    /// A model reads too few tokens together.
    case contextTooShort
    /// The texts of the models would be cut differently.
    case otherTokenizer
    /// Routing cannot be replayed.
    case noReplay

    /// What is wrong and what to change.
    public var description: String {
      switch self {
      case .otherVocabulary(let first, let second):
        "the models have vocabularies of \(first) and \(second) tokens; compare models with the same tokenizer"
      case .textTooShort(let tokens):
        "the text has \(NumberText.counted(tokens, "token")); at least 8 are needed"
      case .outsideContext(let name, let tokens, let range):
        "\(name) is \(tokens); for the context of these models, it must be in \(range.lowerBound)…\(range.upperBound)"
      case .otherTokenizer:
        "the models' tokenizers cut the text differently; compare models with the same tokenizer"
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
    let limit = Self.contextLength(first, second)
    context = min(256, limit)
    decodedTokens = min(64, context)
    generatedTokens = max(0, min(64, limit - Self.promptLength))
  }

  /// Tokens that both models read together at most.
  public static func contextLength(_ first: StoredModel, _ second: StoredModel) -> Int {
    min(first.configuration.contextLength, second.configuration.contextLength)
  }

  /// Tokens of the text that greedy texts continue.
  public static let promptLength = 32
  /// Texts that are read together.
  private static let company = 4

  /// Compares the models.
  ///
  /// - Parameter progress: Told what is being compared.
  /// - Returns: All figures.
  /// - Throws: ``Failure``, and errors from opening the models.
  public func run(progress: ProgressHandler = { _ in }) throws -> VerificationReport {
    try check()
    let kernel = try withoutGradients { try kernels(progress) }
    // What is remarkable about the second model has been said once.
    var quiet = self
    quiet.form.note = { _ in }
    let runtime = kernel.isEmpty ? nil : try withoutGradients { try quiet.runtime(progress) }
    let reference = try first.decoder(
      as: WeightForm(dtype: .f32, note: form.note).unpacked)
    let quantization = try fidelity(reference, second.decoder(as: quiet.unpackedForm), progress)
    return VerificationReport(
      kernel: kernel, runtime: runtime, quantization: quantization,
      sameBits: comparesBits ? try quiet.bits(progress) : nil)
  }

  private func check() throws {
    let sizes = (first.configuration.vocabularySize, second.configuration.vocabularySize)
    guard sizes.0 == sizes.1 else { throw Failure.otherVocabulary(first: sizes.0, second: sizes.1) }
    guard tokens.count >= 8 else { throw Failure.textTooShort(tokens: tokens.count) }
    let limit = Self.contextLength(first, second)
    guard limit >= 2 else { throw Failure.contextTooShort }
    for (name, value, range) in [
      ("the context", context, 2...limit),
      ("the number of decoded tokens", decodedTokens, 1...max(1, context)),
      ("the number of generated tokens", generatedTokens, 0...max(0, limit - Self.promptLength)),
    ] where !range.contains(value) {
      throw Failure.outsideContext(name: name, tokens: value, range: range)
    }
    if replaysRouting { try checkReplay() }
  }

  /// The second model with its packed weights unpacked, in f32.
  private var unpackedForm: WeightForm {
    var exact = form.unpacked
    exact.dtype = .f32
    return exact
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
    let kinds = Dictionary(
      uniqueKeysWithValues: try second.linearModules().map { ($0.name + ".weight", $0.kind) })
    let inputs = ObservedInputs(limit: Self.observedRows) { kinds[$0] != .embedding }
    var watched = form
    watched.transform = inputs.observed
    let model = try second.decoder(as: watched)
    for window in windows() where !inputs.isComplete {
      progress(Progress("collecting inputs", completed: window.lowerBound, total: tokens.count))
      _ = model.read([part(of: model, window)], as: .prompt)
    }
    var found: [String: VerificationReport.Kernel] = [:]
    for (place, module) in inputs.weights.enumerated() {
      progress(Progress("comparing products", completed: place, total: inputs.weights.count))
      let kind = kinds[module.name] ?? .other
      // Prompts do not round routers to bf16.
      let weight = kind == .router ? module.weight.precise() : module.weight
      var entry = VerificationReport.Kernel(
        format: "\(weight.format)", roundedBits: weight.roundedBits, modules: 0, allModules: 0,
        rows: .max, one: 0, few: 0, many: 0)
      entry = found[entry.label] ?? entry
      entry.allModules += 1
      // An embedding is looked up; it is multiplied with, too, where it is the head.
      let lookups = kind == .embedding ? [lookups(in: weight)] : []
      let hasOwn = kind != .embedding || inputs.count(of: module.name) > 0
      let x = hasOwn ? inputs.inputs(of: module) : nil
      entry.add(lookups + (x.map { [Self.errors(of: weight, $0)] } ?? []))
      found[entry.label] = entry
    }
    return found.values.sorted { $0.label < $1.label }
  }

  /// The errors of a weight's products with one row, four and all.
  private static func errors(
    of weight: PackedWeight, _ x: Tensor
  ) -> VerificationReport.Kernel.Errors {
    let expected = x.cast(to: .f64).linear(weight.dequantized().cast(to: .f64))
    func error(_ rows: Int, _ arithmetic: Arithmetic) -> Double {
      Self.error(weight.product(x[0..<rows], bias: nil, as: arithmetic), expected[0..<rows])
    }
    let rows = x.size(0)
    return .init(
      rows: rows, one: error(1, .decode), few: error(min(4, rows), .decode),
      many: error(rows, .prompt))
  }

  /// The errors of the rows of an embedding, which are looked up.
  private func lookups(in weight: PackedWeight) -> VerificationReport.Kernel.Errors {
    let ids = Tensor(tokens.prefix(Self.observedRows).map(Int64.init))
    let expected = weight.dequantized().cast(to: .f64).selecting(ids)
    let error = Self.error(weight.rows(at: ids), expected)
    return .init(rows: ids.count, one: error, few: error, many: error)
  }

  /// The length of the difference over that of the result.
  private static func error(_ found: Tensor, _ expected: Tensor) -> Double {
    let difference = found.cast(to: .f64) - expected
    func length(_ x: Tensor) -> Double { (x * x).sum().item(as: Double.self).squareRoot() }
    let size = length(expected)
    return size > 0 ? length(difference) / size : length(difference)
  }

  // MARK: Runtime

  private func runtime(_ progress: ProgressHandler) throws -> VerificationReport.Runtime {
    var packed = form
    packed.dtype = form.dtype ?? .f32
    let model = try second.decoder(as: packed), exact = try second.decoder(as: unpackedForm)
    let starts = (0..<Self.company).map { $0 * tokens.count / Self.company }
    let most = min(decodedTokens, (tokens.count + Self.company - 1) / Self.company)
    return VerificationReport.Runtime(
      decode: .init(steps(model, exact, from: [0], min(decodedTokens, tokens.count), progress)),
      company: .init(steps(model, exact, from: starts, most, progress)),
      prompt: .init(prompts(model, exact, progress)))
  }

  /// Divergences where texts are read together, a token of each at a time.
  private func steps(
    _ model: MoEDecoder, _ exact: MoEDecoder, from starts: [Int], _ count: Int,
    _ progress: ProgressHandler
  ) -> [Double] {
    let caches = starts.map { _ in (packed: model.makeCache(), exact: exact.makeCache()) }
    return (0..<count).flatMap { place in
      progress(Progress("reading token by token", completed: place, total: count))
      let active = starts.indices.filter { starts[$0] + place < tokens.count }
      func logits(_ model: MoEDecoder, _ cache: (Int) -> KeyValueCache) -> Tensor {
        model.read(
          active.map { SequencePart(tokens: [tokens[starts[$0] + place]], cache: cache($0)) },
          as: .decode
        ).logits
      }
      return Divergences.between(
        logits(exact) { caches[$0].exact }, logits(model) { caches[$0].packed })
    }
  }

  /// Divergences where windows are read as prompts, in company, up to as many tokens as one window has.
  private func prompts(
    _ model: MoEDecoder, _ exact: MoEDecoder, _ progress: ProgressHandler
  ) -> [Double] {
    let size = max(2, min(context, tokens.count) / Self.company)
    let parts = stride(from: 0, to: tokens.count, by: size).prefix(Self.company).map {
      $0..<min($0 + size, tokens.count)
    }
    progress(Progress("reading prompts", completed: 0, total: 1))
    func logits(_ model: MoEDecoder) -> Tensor {
      model.read(parts.map { part(of: model, $0) }, as: .prompt, scoring: .all).logits
    }
    return Divergences.between(logits(exact), logits(model))
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
    var overlap = [Double](repeating: 0, count: model.configuration.sparseLayers.count)
    var scored = 0
    for window in windows() {
      progress(Progress("comparing scores", completed: window.lowerBound, total: tokens.count))
      let a = reference.read([part(of: reference, window)], as: .prompt, scoring: .all)
      let chosen = replaysRouting ? Self.choices(of: a, reference.configuration) : [:]
      let b = model.read(
        [part(of: model, window)], as: .prompt, scoring: .all, chosen: chosen)
      divergences += Divergences.between(a.logits, b.logits)
      agreed += Divergences.agreement(a.logits, b.logits)
      losses.0 += Divergences.loss(a.logits, Array(tokens[window]))
      losses.1 += Divergences.loss(b.logits, Array(tokens[window]))
      scored += window.count - 1
      for (layer, pair) in zip(a.sparse, b.sparse).enumerated() where layer < overlap.count {
        guard let same = Self.overlap(pair.0.routing, pair.1.routing) else {
          overlap = []
          break
        }
        overlap[layer] += same * Double(window.count)
      }
    }
    let positions = Double(divergences.count)
    // Texts that differ choose experts of their own, so they are not compared with replayed ones.
    let limit = replaysRouting ? 0 : generatedTokens
    let texts = limit > 0 ? generated(reference, model, progress) : 0
    let perplexities = (perplexity(losses.0, scored), perplexity(losses.1, scored))
    return .init(
      divergence: .init(divergences), top1Agreement: Double(agreed) / positions,
      routerOverlap: overlap.map { $0 / positions }, firstPerplexity: perplexities.0,
      secondPerplexity: perplexities.1, greedyTokens: texts, greedyLimit: limit,
      replaysRouting: replaysRouting, perplexityRatio: perplexities.1 / perplexities.0)
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

  /// The fraction of a token's experts that are the same in both, mean over tokens; `nil` where experts choose.
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
    let prompt = Array(tokens.prefix(Self.promptLength))
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
  private func bits(_ progress: ProgressHandler) throws -> Bool {
    let models = [
      try first.decoder(as: WeightForm(dtype: form.dtype, activations: form.activations)),
      try second.decoder(as: form),
    ]
    guard models[0].dtype == models[1].dtype else { return false }
    func isEqual(_ logits: (MoEDecoder) -> Tensor) -> Bool {
      let found = models.map { logits($0).cast(to: .f32).array(of: Float.self).map(\.bitPattern) }
      return found[0] == found[1]
    }
    let caches = models.map { $0.makeCache() }
    for token in tokens.prefix(decodedTokens) {
      let steps = zip(models, caches).map { model, cache in
        model.read([SequencePart(tokens: [token], cache: cache)], as: .decode).logits
      }
      guard isEqual({ $0 === models[0] ? steps[0] : steps[1] }) else { return false }
    }
    return windows().allSatisfy { window in
      progress(Progress("comparing bits", completed: window.lowerBound, total: tokens.count))
      return isEqual { $0.read([part(of: $0, window)], as: .prompt, scoring: .all).logits }
    }
  }
}

extension VerificationReport.Kernel {
  /// Adds one more module by the errors of its uses; it is not judged without any.
  fileprivate mutating func add(_ uses: [Errors]) {
    let worst = VerificationReport.worst
    modules += uses.isEmpty ? 0 : 1
    for errors in uses {
      rows = min(rows, errors.rows)
      (one, few, many) = (
        worst(one, errors.one), worst(few, errors.few), worst(many, errors.many)
      )
    }
  }

  /// The errors of one use of a module.
  fileprivate struct Errors {
    var rows: Int
    var one: Double
    var few: Double
    var many: Double
  }
}
