public import MoECore

/// OLMoE (Allen Institute for AI 2024): many small experts, queries and keys normalized over all heads.
///
/// - SeeAlso: Muennighoff et al. 2024, *OLMoE*, [arXiv:2409.02060](https://arxiv.org/abs/2409.02060).
public enum OLMoE: DecoderFamily {
  /// `olmoe`.
  public static let modelType = "olmoe"
  /// Experts are `mlp.experts.N.gate_proj` and so on.
  public static let names = WeightNames.usual

  /// Values of keys that a file may leave out, as in transformers' configuration of this type.
  private static let defaults: JSONObject = [
    "vocab_size": 50_304, "hidden_size": 2_048, "intermediate_size": 2_048,
    "num_hidden_layers": 16, "num_attention_heads": 16, "hidden_act": "silu",
    "max_position_embeddings": 4_096, "rms_norm_eps": 1e-5, "rope_theta": 10_000,
    "num_experts_per_tok": 8, "num_experts": 64, "norm_topk_prob": false, "eos_token_id": 50_279,
  ]

  /// Reads the configuration.
  ///
  /// - Throws: `ConfigurationError` that names the key.
  public static func configuration(_ json: ConfigurationObject) throws -> DecoderConfiguration {
    let json = json.completed(with: defaults, spellings: [CommonKeys.experts])
    var result = try CommonKeys(json).configuration(
      family: modelType, experts: json.int("num_experts", "num_local_experts", in: CommonKeys.size),
      expertInner: json.int("intermediate_size", in: CommonKeys.size),
      renormalizes: json.bool("norm_topk_prob"))
    result.queryKeyNorm = .whole
    result.hasAttentionBias = try json.optionalBool("attention_bias") ?? false
    result.hasOutputBias = result.hasAttentionBias
    result.clip = try json.optionalNumber("clip_qkv")
    return result
  }
}
