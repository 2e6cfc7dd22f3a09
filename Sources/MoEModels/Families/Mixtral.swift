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

  /// Reads the configuration.
  ///
  /// - Throws: `ConfigurationError` that names the key.
  public static func configuration(_ json: ConfigurationObject) throws -> DecoderConfiguration {
    let common = try CommonKeys(json)
    var result = try common.configuration(
      family: modelType, experts: json.int("num_local_experts", "num_experts", in: CommonKeys.size),
      expertInner: json.int("intermediate_size", in: CommonKeys.size), renormalizes: true)
    let window = try json.optionalInt("sliding_window", in: 1...(1 << 30))
    result.windows = Array(repeating: window, count: common.layerCount)
    return result
  }
}
