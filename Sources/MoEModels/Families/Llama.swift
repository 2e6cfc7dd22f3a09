public import MoECore

/// Llama (Meta 2023) and the many dense models in its format, such as SmolLM2: every layer is dense.
///
/// - SeeAlso: Touvron et al. 2023, *LLaMA*, §2.2, [arXiv:2302.13971](https://arxiv.org/abs/2302.13971).
public enum Llama: DecoderFamily {
  /// `llama`.
  public static let modelType = "llama"
  /// Networks are `mlp.gate_proj` and so on.
  public static let names = WeightNames.usual

  /// Values of keys that a file may leave out, as in transformers' configuration of this type.
  private static let defaults: JSONObject = [
    "vocab_size": 32_000, "hidden_size": 4_096, "intermediate_size": 11_008,
    "num_hidden_layers": 32, "num_attention_heads": 32, "hidden_act": "silu",
    "max_position_embeddings": 2_048, "rms_norm_eps": 1e-6, "rope_theta": 10_000,
    "eos_token_id": 2,
  ]

  /// Reads the configuration.
  ///
  /// - Throws: `ConfigurationError` that names the key.
  public static func configuration(_ json: ConfigurationObject) throws -> DecoderConfiguration {
    let json = json.completed(with: defaults)
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
