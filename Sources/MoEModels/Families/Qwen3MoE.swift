public import MoECore

/// Qwen3-MoE (Alibaba 2025): queries and keys normalized per head, no shared expert.
///
/// - SeeAlso: Yang et al. 2025, *Qwen3 Technical Report*, §2,
///   [arXiv:2505.09388](https://arxiv.org/abs/2505.09388).
public enum Qwen3MoE: DecoderFamily {
  /// `qwen3_moe`.
  public static let modelType = "qwen3_moe"
  /// Experts are `mlp.experts.N.gate_proj` and so on.
  public static let names = WeightNames.usual

  /// Values of keys that a file may leave out, as in transformers' configuration of this type.
  private static let defaults: JSONObject = [
    "vocab_size": 151_936, "hidden_size": 2_048, "intermediate_size": 6_144,
    "num_hidden_layers": 24, "num_attention_heads": 32, "num_key_value_heads": 4,
    "hidden_act": "silu", "max_position_embeddings": 32_768, "rms_norm_eps": 1e-6,
    "rope_theta": 10_000, "sliding_window": 4_096, "moe_intermediate_size": 768,
    "num_experts_per_tok": 8, "num_experts": 128, "norm_topk_prob": false,
  ]

  /// Reads the configuration.
  ///
  /// - Throws: `ConfigurationError` that names the key.
  public static func configuration(_ json: ConfigurationObject) throws -> DecoderConfiguration {
    let json = json.completed(with: defaults, spellings: [CommonKeys.experts])
    let common = try CommonKeys(json)
    var result = try common.configuration(
      family: modelType, experts: json.int("num_experts", "num_local_experts", in: CommonKeys.size),
      expertInner: json.int("moe_intermediate_size", in: CommonKeys.size),
      renormalizes: json.bool("norm_topk_prob"),
      layers: common.layersByStep(inner: "intermediate_size"))
    result.queryKeyNorm = .perHead
    result.hasAttentionBias = try json.optionalBool("attention_bias") ?? false
    result.hasOutputBias = result.hasAttentionBias
    if try json.optionalBool("use_sliding_window") ?? false {
      let window = try json.int("sliding_window", in: 1...(1 << 30))
      result.windows = Array(repeating: window, count: common.layerCount)
    }
    return result
  }
}
