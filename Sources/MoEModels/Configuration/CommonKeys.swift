import MoECore
import MoERouting

/// What the families' configurations have in common.
///
/// Both spellings of keys are read, those of transformers 4 and 5. Limits on sizes are far above
/// any model and keep products of sizes far below 2⁶³.
struct CommonKeys {
  static let size = 1...(1 << 20)
  /// The number of experts; families differ in which of these keys they write.
  static let experts = ["num_local_experts", "num_experts"]

  let json: ConfigurationObject
  let vocabularySize: Int
  let hiddenSize: Int
  let layerCount: Int
  let heads: Int
  let keyHeads: Int
  let headSize: Int
  let contextLength: Int
  let epsilon: Double
  let endTokens: [Int]

  init(_ json: ConfigurationObject) throws(ConfigurationError) {
    self.json = json
    vocabularySize = try json.int("vocab_size", in: 1...(1 << 24))
    hiddenSize = try json.int("hidden_size", in: Self.size)
    layerCount = try json.int("num_hidden_layers", in: 1...4096)
    heads = try json.int("num_attention_heads", in: 1...4096)
    keyHeads = try json.optionalInt("num_key_value_heads", in: 1...4096) ?? heads
    guard heads.isMultiple(of: keyHeads) else {
      throw json.invalid("num_key_value_heads", "a divisor of num_attention_heads (\(heads))")
    }
    if let size = try json.optionalInt("head_dim", in: 2...(1 << 16)) {
      headSize = size
    } else {
      guard hiddenSize.isMultiple(of: heads) else {
        throw json.invalid("num_attention_heads", "a divisor of hidden_size (\(hiddenSize))")
      }
      headSize = hiddenSize / heads
    }
    guard headSize.isMultiple(of: 2) else {
      throw json.invalid(
        "head_dim", "even, because rotary positions rotate pairs; it is \(headSize)")
    }
    contextLength = try json.int("max_position_embeddings", in: 1...(1 << 30))
    epsilon = try json.number("rms_norm_eps")
    endTokens = try json.endTokens() ?? []
  }

  /// The activation function.
  func activation() throws(ConfigurationError) -> Activation { try json.choice("hidden_act") }

  /// Experts per token.
  func k(experts: Int) throws(ConfigurationError) -> Int {
    try json.int("num_experts_per_tok", in: 1...experts)
  }

  /// Layers that are sparse by `mlp_only_layers` and `decoder_sparse_step`, dense ones of width `inner`.
  func layersByStep(inner: String) throws(ConfigurationError) -> [DecoderConfiguration.LayerKind] {
    let dense = Set(try json.ints("mlp_only_layers", in: 0...4096))
    let step = try json.optionalInt("decoder_sparse_step", in: 1...4096) ?? 1
    var kinds: [DecoderConfiguration.LayerKind] = []
    for layer in 0..<layerCount {
      let isSparse = !dense.contains(layer) && (layer + 1).isMultiple(of: step)
      kinds.append(isSparse ? .sparse : .dense(inner: try json.int(inner, in: Self.size)))
    }
    return kinds
  }

  /// The common architecture with softmax token choice, for a family to modify.
  func configuration(
    family: String, experts: Int, expertInner: Int, renormalizes: Bool,
    layers: [DecoderConfiguration.LayerKind]? = nil
  ) throws -> DecoderConfiguration {
    let router = try TokenChoiceRouter(
      k: try k(experts: experts), experts: experts, renormalizes: renormalizes)
    return try architecture(
      family: family, experts: experts, expertInner: expertInner, router: router, layers: layers)
  }

  /// The common architecture, for a family to modify.
  func architecture(
    family: String, experts: Int, expertInner: Int, router: (any Router)?,
    layers: [DecoderConfiguration.LayerKind]? = nil
  ) throws(ConfigurationError) -> DecoderConfiguration {
    let rotary = try RotaryKeys(json, headSize: headSize, contextLength: contextLength)
    return DecoderConfiguration(
      family: family, vocabularySize: vocabularySize, hiddenSize: hiddenSize,
      layers: layers ?? Array(repeating: .sparse, count: layerCount), heads: heads,
      keyHeads: keyHeads,
      headSize: headSize, contextLength: contextLength, normalization: .rms, epsilon: epsilon,
      rotaryBase: rotary.base, rotaryScaling: rotary.scaling, queryKeyNorm: .none,
      hasAttentionBias: false, hasOutputBias: false, clip: nil,
      windows: Array(repeating: nil, count: layerCount),
      tiesEmbeddings: try json.optionalBool("tie_word_embeddings") ?? false, form: .gated,
      activation: try activation(), experts: experts, expertInner: expertInner,
      router: router, shared: nil,
      balanceCoefficient: try json.optionalNumber("router_aux_loss_coef", above: -1e-9) ?? 0,
      endTokens: endTokens)
  }
}
