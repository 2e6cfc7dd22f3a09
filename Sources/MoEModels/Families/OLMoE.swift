public import MoECore

/// OLMoE (Allen Institute for AI 2024): many small experts, queries and keys normalized over all heads.
///
/// - SeeAlso: Muennighoff et al. 2024, *OLMoE*, [arXiv:2409.02060](https://arxiv.org/abs/2409.02060).
public enum OLMoE: DecoderFamily {
  /// `olmoe`.
  public static let modelType = "olmoe"
  /// Experts are `mlp.experts.N.gate_proj` and so on.
  public static let names = WeightNames.usual

  /// Reads the configuration.
  ///
  /// - Throws: `ConfigurationError` that names the key.
  public static func configuration(_ json: ConfigurationObject) throws -> DecoderConfiguration {
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
