public import MoECore

/// Mixtral (Mistral AI 2024): softmax over the chosen experts, sliding-window attention optional.
///
/// - SeeAlso: Jiang et al. 2024, *Mixtral of Experts*, [arXiv:2401.04088](https://arxiv.org/abs/2401.04088).
public enum Mixtral: DecoderFamily {
  /// `mixtral`.
  public static let modelType = "mixtral"
  /// Experts are `block_sparse_moe.experts.N.w1`, `w3` and `w2`.
  public static let names = WeightNames(
    block: "block_sparse_moe", gate: "w1", up: "w3", down: "w2", shared: "")

  /// Values of keys that a file may leave out, as in transformers' configuration of this type.
  private static let defaults: JSONObject = [
    "vocab_size": 32_000, "hidden_size": 4_096, "intermediate_size": 14_336,
    "num_hidden_layers": 32, "num_attention_heads": 32, "num_key_value_heads": 8,
    "hidden_act": "silu", "max_position_embeddings": 131_072, "rms_norm_eps": 1e-5,
    "rope_theta": 1_000_000, "num_experts_per_tok": 2, "num_local_experts": 8, "eos_token_id": 2,
  ]

  /// Reads the configuration.
  ///
  /// - Throws: `ConfigurationError` that names the key.
  public static func configuration(_ json: ConfigurationObject) throws -> DecoderConfiguration {
    let json = json.completed(with: defaults, spellings: [CommonKeys.experts])
    let common = try CommonKeys(json)
    var result = try common.configuration(
      family: modelType, experts: json.int("num_local_experts", "num_experts", in: CommonKeys.size),
      expertInner: json.int("intermediate_size", in: CommonKeys.size), renormalizes: true)
    let window = try json.optionalInt("sliding_window", in: 1...(1 << 30))
    result.windows = Array(repeating: window, count: common.layerCount)
    return result
  }
}
