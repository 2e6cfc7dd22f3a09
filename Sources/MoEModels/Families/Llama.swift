public import MoECore

/// Llama (Meta 2023) and the many dense models in its format, such as SmolLM2: every layer is dense.
///
/// - SeeAlso: Touvron et al. 2023, *LLaMA*, §2.2, [arXiv:2302.13971](https://arxiv.org/abs/2302.13971).
public enum Llama: DecoderFamily {
  /// `llama`.
  public static let modelType = "llama"
  /// Networks are `mlp.gate_proj` and so on.
  public static let names = WeightNames.usual

  /// Reads the configuration.
  ///
  /// - Throws: `ConfigurationError` that names the key.
  public static func configuration(_ json: ConfigurationObject) throws -> DecoderConfiguration {
    let common = try CommonKeys(json)
    let inner = try json.int("intermediate_size", in: CommonKeys.size)
    var result = try common.architecture(
      family: modelType, experts: 0, expertInner: 0, router: nil,
      layers: Array(repeating: .dense(inner: inner), count: common.layerCount))
    result.hasAttentionBias = try json.optionalBool("attention_bias") ?? false
    result.hasOutputBias = result.hasAttentionBias
    result.hasNetworkBias = try json.optionalBool("mlp_bias") ?? false
    return result
  }
}
