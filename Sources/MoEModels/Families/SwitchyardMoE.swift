public import MoECore
import MoERouting

/// Switchyard's own GPT-style models: any router, either form of expert, dense layers in between.
///
///     {"model_type": "switchyard_moe", "vocab_size": 4096, "hidden_size": 256, "num_hidden_layers": 4,
///      "num_attention_heads": 8, "max_position_embeddings": 512, "rms_norm_eps": 1e-5, "rope_theta": 10000,
///      "hidden_act": "silu", "num_experts": 8, "expert_size": 512,
///      "router": {"type": "token_choice", "k": 2, "renormalize": true}}
///
/// Further keys, all optional: `num_key_value_heads`, `head_dim`, `eos_token_id`, `tie_word_embeddings`,
/// `rope_scaling`, `normalization` (`rms`, `layer`), `qk_norm` (`none`, `whole`, `per_head`), `expert_form`
/// (`gated`, `plain`), `dense_layers` (indices), `dense_size`, `shared_size`, `shared_gate`,
/// `sliding_window`, `balance_coefficient`, `attention_bias`. An unknown key is an error.
public enum SwitchyardMoE: DecoderFamily {
  /// `switchyard_moe`.
  public static let modelType = "switchyard_moe"
  /// Experts are `mlp.experts.N.gate_proj` and so on.
  public static let names = WeightNames.usual

  private static let keys = [
    "model_type", "architectures", "dtype", "vocab_size", "hidden_size", "num_hidden_layers",
    "num_attention_heads", "num_key_value_heads", "head_dim", "max_position_embeddings",
    "rms_norm_eps",
    "rope_theta", "rope_scaling", "hidden_act", "num_experts", "expert_size", "router",
    "eos_token_id",
    "bos_token_id", "tie_word_embeddings", "normalization", "qk_norm", "expert_form",
    "dense_layers",
    "dense_size", "shared_size", "shared_gate", "sliding_window", "balance_coefficient",
    "attention_bias",
  ]

  /// Reads the configuration.
  ///
  /// - Throws: `ConfigurationError` that names the key.
  public static func configuration(_ json: ConfigurationObject) throws -> DecoderConfiguration {
    try json.refuseKeys(except: keys + PackedSchemes.keys)
    let common = try CommonKeys(json)
    let experts = try json.int("num_experts", in: CommonKeys.size)
    var result = try common.architecture(
      family: modelType, experts: experts,
      expertInner: json.int("expert_size", in: CommonKeys.size),
      router: Routers.router(of: json, experts: experts),
      layers: layers(json, count: common.layerCount))
    if json.has("normalization") { result.normalization = try json.choice("normalization") }
    if json.has("qk_norm") { result.queryKeyNorm = try json.choice("qk_norm") }
    if json.has("expert_form") { result.form = try json.choice("expert_form") }
    result.hasAttentionBias = try json.optionalBool("attention_bias") ?? false
    result.hasOutputBias = result.hasAttentionBias
    if let shared = try json.optionalInt("shared_size", in: CommonKeys.size) {
      result.shared = .init(inner: shared, isGated: try json.optionalBool("shared_gate") ?? false)
    }
    let window = try json.optionalInt("sliding_window", in: 1...(1 << 30))
    result.windows = Array(repeating: window, count: common.layerCount)
    result.balanceCoefficient = try json.optionalNumber("balance_coefficient", above: -1e-9) ?? 0
    return result
  }

  private static func layers(
    _ json: ConfigurationObject, count: Int
  ) throws(ConfigurationError) -> [DecoderConfiguration.LayerKind] {
    let dense = Set(try json.ints("dense_layers", in: 0...count - 1))
    let inner = dense.isEmpty ? 0 : try json.int("dense_size", in: CommonKeys.size)
    return (0..<count).map { dense.contains($0) ? .dense(inner: inner) : .sparse }
  }
}
