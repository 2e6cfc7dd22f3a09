public import MoECore
import MoERouting
public import MoETensor
public import SystemPackage

/// A decoder-only language model with Mixture-of-Experts layers, as one readable program.
///
///     h = embedding(tokens)
///     for each layer:  h = h + attention(norm(h));  h = h + experts(norm(h))
///     logits = head(norm(h))
///
/// Every family in ``DecoderFamilies`` is this program with another ``DecoderConfiguration``.
public final class MoEDecoder {
  /// The architecture.
  public let configuration: DecoderConfiguration
  /// All dense weights by name, in the order in which the forward pass first uses them.
  public let parameters: [NamedParameter]
  /// All packed weights by name, in that order.
  public let packedWeights: [NamedPackedWeight]
  /// Token vectors, `[vocabulary, hidden]`.
  let embedding: any LinearWeight
  /// The layers, in order.
  let layers: [DecoderLayer]
  private let norm: Normalization
  private let head: Linear
  let rotary: RotaryEmbedding

  /// Builds a model of the given architecture with weights from a source.
  ///
  /// - Parameters:
  ///   - configuration: The architecture.
  ///   - names: The names of experts in checkpoints.
  ///   - weights: The source of the weights, dense or in another form.
  ///   - banks: Who may run the experts.
  /// - Throws: What the source throws, and `SettingError` for a router that does not fit.
  public init(
    _ configuration: DecoderConfiguration, names: WeightNames, weights: some WeightSource,
    banks: ExpertBanks = .standard
  ) throws {
    let builder = DecoderBuilder(configuration, names: names, weights: weights, banks: banks)
    self.configuration = configuration
    let hidden = configuration.hiddenSize
    embedding = try builder.linear(
      "model.embed_tokens", configuration.vocabularySize, hidden
    ).weight
    layers = try configuration.layers.indices.map { try builder.layer($0) }
    norm = try builder.normalization("model.norm", hidden)
    head =
      configuration.tiesEmbeddings
      ? Linear(weight: embedding)
      : try builder.linear("lm_head", configuration.vocabularySize, hidden)
    rotary = RotaryEmbedding(
      width: configuration.headSize, base: configuration.rotaryBase,
      scaling: configuration.rotaryScaling)
    (parameters, packedWeights) = (builder.parameters, builder.packed)
  }

  /// Type of the weights and of what is computed with them.
  public var dtype: DType { embedding.dtype }

  /// Opens a model folder, `config.json` and safetensors, or a GGUF file.
  ///
  /// Weights are mapped, not read, unless another type is requested; models larger than memory can
  /// be opened, too.
  ///
  /// - Parameters:
  ///   - path: The folder or file.
  ///   - dtype: Data type to compute in; `nil` for the one that `config.json` names, else that of the checkpoint; f32
  ///     for a GGUF file.
  /// - Returns: The model.
  /// - Throws: ``ModelError``, `ConfigurationError`, `SafetensorsError`, `GGUFError` or `FileError`.
  public static func open(_ path: FilePath, dtype: DType? = nil) throws -> MoEDecoder {
    try StoredModel(path).decoder(dtype: dtype)
  }

  /// The result of a forward pass.
  public struct Output {
    /// Logits of the next token, `[batch, positions, vocabulary]`.
    public var logits: Tensor
    /// What the sparse layers did, in order.
    public var sparse: [MoELayer.Output]
  }

  /// Scores the next token at every position of a batch of whole sequences.
  ///
  /// Without gradients, a sequence has the same bits as from ``read(_:as:scoring:random:chosen:observer:)`` as a prompt.
  ///
  /// - Parameters:
  ///   - tokens: Token ids, i64, shape `[batch, positions]`.
  ///   - random: The random numbers of random routers.
  ///   - scored: Which positions of every sequence are scored.
  ///   - observer: Notified which experts the tokens chose, if given.
  /// - Returns: The logits and what the sparse layers did.
  public func callAsFunction(
    _ tokens: Tensor, random: RandomSource? = nil, scoring scored: ScoredRows = .all,
    observer: (any RoutingObserver)? = nil
  ) -> Output {
    let lengths = Array(repeating: tokens.size(1), count: tokens.size(0))
    let output = run(tokens, in: wholeSequences(tokens, random: random, as: .prompt), scored) {
      $0($1, in: $2)
    }
    if let observer { report(output.sparse, of: tokens, lengths: lengths, to: observer) }
    return output
  }

  /// Describes a pass over a batch of whole sequences of equal length.
  func wholeSequences(
    _ tokens: Tensor, random: RandomSource? = nil, as arithmetic: Arithmetic?
  ) -> LayerContext {
    let positions = tokens.size(1)
    return LayerContext(
      angles: rotary.angles(0..<positions, on: embedding.device),
      routing: RoutingContext(
        sequenceLengths: Array(repeating: positions, count: tokens.size(0)), random: random),
      arithmetic: arithmetic)
  }

  /// The forward pass over tokens `[batch, positions]`, with each layer applied by `apply`.
  func run(
    _ tokens: Tensor, in context: LayerContext, _ scored: ScoredRows,
    apply: (DecoderLayer, Tensor, LayerContext) throws -> (
      hidden: Tensor, routed: MoELayer.Output?
    )
  ) rethrows -> Output {
    var hidden = embedding.rows(at: tokens)  // [batch, positions, hidden]
    var sparse: [MoELayer.Output] = []
    for layer in layers {
      let output = try apply(layer, hidden, context)
      hidden = output.hidden
      if let routed = output.routed { sparse.append(routed) }
    }
    guard scored != .some([]) else {
      let none = [hidden.size(0), 0, configuration.vocabularySize]
      return Output(
        logits: Tensor.zeros(none, dtype: hidden.dtype, on: hidden.device), sparse: sparse)
    }
    hidden = Self.rows(scored, of: hidden, context)
    return Output(logits: head(norm(hidden), as: context.arithmetic), sparse: sparse)
  }

  /// The rows that are scored, of every sequence of a batch or of the one row in which sequences follow each other.
  private static func rows(
    _ scored: ScoredRows, of hidden: Tensor, _ context: LayerContext
  ) -> Tensor {
    let positions = hidden.size(1)
    let wanted: [Int]
    switch scored {
    case .all: return hidden
    case .last:
      wanted =
        context.sequences.isEmpty
        ? [positions - 1] : context.sequences.map { $0.rows.upperBound - 1 }
    case .some(let rows): wanted = rows
    }
    precondition(
      wanted.allSatisfy { 0..<positions ~= $0 }, "a row that is not among the \(positions)")
    if wanted == Array(0..<positions) { return hidden }
    return hidden.selecting(Tensor(wanted).moved(to: hidden.device), axis: 1)
  }

  /// The load-balancing loss over all sparse layers together, before its coefficient.
  ///
  /// Probabilities and loads of all layers are combined, as transformers does.
  public func balanceLoss(_ sparse: [MoELayer.Output]) -> Tensor {
    guard let first = sparse.first else { return Tensor(0 as Float) }
    let load = sparse.dropFirst().reduce(first.routing.load) { $0 + $1.routing.load }
    return RoutingLosses.loadBalance(
      probabilities: Tensor.concatenated(sparse.map(\.routing.probabilities), axis: 0), load: load,
      denominator: .tokens)
  }
}

@available(*, unavailable)
extension MoEDecoder: Sendable {}

/// One layer: attention, then experts or a dense network.
struct DecoderLayer {
  enum Network {
    case dense(FeedForward)
    case sparse(MoELayer)
  }

  let place: Int
  let attentionNorm: Normalization
  let attention: Attention
  let networkNorm: Normalization
  let network: Network

  func callAsFunction(
    _ x: Tensor, in context: LayerContext
  ) -> (hidden: Tensor, routed: MoELayer.Output?) {
    let attended = x + attention(attentionNorm(x), in: context, layer: place)
    let normalized = networkNorm(attended)  // [batch, positions, hidden]
    switch network {
    case .dense(let dense): return (attended + dense(normalized, as: context.arithmetic), nil)
    case .sparse(let sparse):
      let tokens = normalized.reshaped([-1, x.size(2)])  // [batch · positions, hidden]
      var routing = context.routing
      routing.chosen = context.chosen[place]
      let output = sparse(tokens, in: routing, as: context.arithmetic)
      return (attended + output.hidden.reshaped(x.shape), output)
    }
  }
}
