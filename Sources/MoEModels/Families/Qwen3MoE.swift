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

  /// Reads the configuration.
  ///
  /// - Throws: `ConfigurationError` that names the key.
  public static func configuration(_ json: ConfigurationObject) throws -> DecoderConfiguration {
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
