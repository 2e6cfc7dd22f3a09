public import MoECore

/// Qwen1.5-MoE and Qwen2-MoE (Alibaba 2024): a gated shared expert, biases in attention, dense layers possible.
///
/// - SeeAlso: Yang et al. 2024, *Qwen2 Technical Report*, §2.2.2,
///   [arXiv:2407.10671](https://arxiv.org/abs/2407.10671).
public enum Qwen2MoE: DecoderFamily {
  /// `qwen2_moe`.
  public static let modelType = "qwen2_moe"
  /// The shared expert is `mlp.shared_expert`.
  public static let names = {
    var names = WeightNames.usual
    names.shared = "shared_expert"
    return names
  }()

  /// Values of keys that a file may leave out, as in transformers' configuration of this type.
  private static let defaults: JSONObject = [
    "vocab_size": 151_936, "hidden_size": 2_048, "intermediate_size": 5_632,
    "num_hidden_layers": 24, "num_attention_heads": 16, "num_key_value_heads": 16,
    "hidden_act": "silu", "max_position_embeddings": 32_768, "rms_norm_eps": 1e-6,
    "rope_theta": 10_000, "sliding_window": 4_096, "max_window_layers": 28,
    "moe_intermediate_size": 1_408, "shared_expert_intermediate_size": 5_632,
    "num_experts_per_tok": 4, "num_experts": 60, "norm_topk_prob": false,
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
    result.hasAttentionBias = try json.optionalBool("qkv_bias") ?? true
    result.shared = .init(
      inner: try json.int("shared_expert_intermediate_size", in: CommonKeys.size), isGated: true)
    if try json.optionalBool("use_sliding_window") ?? false {
      result.windows = try windows(json, layers: common.layerCount)
    }
    return result
  }

  /// Every other layer below `max_window_layers` is limited, unless `layer_types` says otherwise.
  private static func windows(
    _ json: ConfigurationObject, layers: Int
  ) throws(ConfigurationError) -> [Int?] {
    let window = try json.int("sliding_window", in: 1...(1 << 30))
    if let types = try json.optionalStrings("layer_types") {
      guard types.count == layers else {
        throw json.invalid("layer_types", "one name per layer (\(layers))")
      }
      return types.map { $0 == "sliding_attention" ? window : nil }
    }
    let limit = try json.int("max_window_layers", in: 0...4096)
    return (0..<layers).map { $0 < limit && $0.isMultiple(of: 2) ? window : nil }
  }
}
