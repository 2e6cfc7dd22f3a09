public import MoECore

/// DeepSeekMoE (DeepSeek 2024, the 16B model): fine-grained experts next to shared ones, first
/// layers dense.
///
/// - SeeAlso: Dai et al. 2024, *DeepSeekMoE*, §3, [arXiv:2401.06066](https://arxiv.org/abs/2401.06066).
public enum DeepSeekMoE: DecoderFamily {
  /// `deepseek`.
  public static let modelType = "deepseek"
  /// The shared experts are one network, `mlp.shared_experts`.
  public static let names = WeightNames.usual

  /// Values of keys that a file may leave out, as in the configuration that was published with the models.
  private static let defaults: JSONObject = [
    "vocab_size": 102_400, "hidden_size": 4_096, "intermediate_size": 11_008,
    "moe_intermediate_size": 1_407, "num_hidden_layers": 30, "num_attention_heads": 32,
    "num_key_value_heads": 32, "hidden_act": "silu", "max_position_embeddings": 2_048,
    "rms_norm_eps": 1e-6, "rope_theta": 10_000, "first_k_dense_replace": 0, "moe_layer_freq": 1,
    "norm_topk_prob": false, "eos_token_id": 100_001,
  ]

  /// Reads the configuration.
  ///
  /// - Throws: `ConfigurationError` that names the key.
  public static func configuration(_ json: ConfigurationObject) throws -> DecoderConfiguration {
    let json = json.completed(with: defaults)
    let common = try CommonKeys(json)
    var result = try architecture(json, common)
    if let scoring = try json.optionalString("scoring_func"), scoring != "softmax" {
      throw json.invalid("scoring_func", "softmax, the only rule of this family")
    }
    if result.experts > 0, let shared = try json.optionalInt("n_shared_experts", in: 0...4096),
      shared > 0
    {
      result.shared = .init(inner: shared * result.expertInner, isGated: false)
    }
    result.hasAttentionBias = try json.optionalBool("attention_bias") ?? false
    result.hasOutputBias = result.hasAttentionBias
    result.balanceCoefficient = try json.optionalNumber("aux_loss_alpha", above: -1e-9) ?? 0
    return result
  }

  /// Without a number of routed experts, every layer is dense.
  private static func architecture(
    _ json: ConfigurationObject, _ common: CommonKeys
  ) throws -> DecoderConfiguration {
    let dense = DecoderConfiguration.LayerKind.dense(
      inner: try json.int("intermediate_size", in: CommonKeys.size))
    guard let experts = try json.optionalInt("n_routed_experts", in: CommonKeys.size) else {
      return try common.architecture(
        family: modelType, experts: 0, expertInner: 0, router: nil,
        layers: Array(repeating: dense, count: common.layerCount))
    }
    // Dense up to `first_k_dense_replace`, then every `moe_layer_freq`-th layer is sparse.
    let first = try json.int("first_k_dense_replace", in: 0...4096)
    let frequency = try json.int("moe_layer_freq", in: 1...4096)
    // The published gate divides by the sum only where a token has several experts.
    let renormalizes = try json.bool("norm_topk_prob") && common.k(experts: experts) > 1
    return try common.configuration(
      family: modelType, experts: experts,
      expertInner: json.int("moe_intermediate_size", in: CommonKeys.size),
      renormalizes: renormalizes,
      layers: (0..<common.layerCount).map { layer in
        layer >= first && layer.isMultiple(of: frequency) ? .sparse : dense
      })
  }
}
