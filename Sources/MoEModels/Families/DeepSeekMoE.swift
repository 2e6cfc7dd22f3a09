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

  /// Reads the configuration.
  ///
  /// - Throws: `ConfigurationError` that names the key.
  public static func configuration(_ json: ConfigurationObject) throws -> DecoderConfiguration {
    let common = try CommonKeys(json)
    let experts = try json.int("n_routed_experts", in: CommonKeys.size)
    let inner = try json.int("moe_intermediate_size", in: CommonKeys.size)
    var result = try common.configuration(
      family: modelType, experts: experts, expertInner: inner,
      renormalizes: json.bool("norm_topk_prob"), layers: layers(json, count: common.layerCount))
    if let scoring = try json.optionalString("scoring_func"), scoring != "softmax" {
      throw json.invalid("scoring_func", "softmax, the only rule of this family")
    }
    if let shared = try json.optionalInt("n_shared_experts", in: 0...4096), shared > 0 {
      result.shared = .init(inner: shared * inner, isGated: false)
    }
    result.hasAttentionBias = try json.optionalBool("attention_bias") ?? false
    result.hasOutputBias = result.hasAttentionBias
    result.balanceCoefficient = try json.optionalNumber("aux_loss_alpha", above: -1e-9) ?? 0
    return result
  }

  /// Dense up to `first_k_dense_replace`, then every `moe_layer_freq`-th layer is sparse.
  private static func layers(
    _ json: ConfigurationObject, count: Int
  ) throws(ConfigurationError) -> [DecoderConfiguration.LayerKind] {
    let first = try json.int("first_k_dense_replace", in: 0...4096)
    let frequency = try json.optionalInt("moe_layer_freq", in: 1...4096) ?? 1
    let inner = try json.int("intermediate_size", in: CommonKeys.size)
    return (0..<count).map { layer in
      layer >= first && layer.isMultiple(of: frequency) ? .sparse : .dense(inner: inner)
    }
  }
}
