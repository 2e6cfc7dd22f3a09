import Foundation
import MoECore

/// The keys of rotary positions, in the spellings of transformers 4 (`rope_scaling` beside `rope_theta`) and 5
/// (`rope_parameters`).
///
/// A key that is not known may change every answer, so it is an error. Keys of another kind of scaling than the one that
/// is named are left alone, as transformers leaves them.
struct RotaryKeys {
  let base: Double
  let scaling: RotaryEmbedding.Scaling

  private static let known = [
    "rope_theta", "rope_type", "type", "factor", "original_max_position_embeddings",
    "attention_factor", "beta_fast", "beta_slow", "mscale", "mscale_all_dim", "truncate",
    "low_freq_factor", "high_freq_factor", "partial_rotary_factor",
    // The authors of YaRN wrote it into their files; nothing reads it.
    "finetuned",
  ]

  init(_ json: ConfigurationObject, headSize: Int, contextLength: Int) throws(ConfigurationError) {
    try Self.checkWidth(json)
    // As in transformers, the older key wins where both say something.
    let older = try json.optionalObject("rope_scaling")
    let newer = try json.optionalObject("rope_parameters")
    guard let object = [older, newer].compactMap(\.self).first(where: { !$0.values.isEmpty }) else {
      (base, scaling) = (try json.number("rope_theta", above: 1), .none)
      return
    }
    let holder = object.has("rope_theta") ? object : json
    base = try holder.number("rope_theta", above: 1)
    try Self.checkWidth(object)
    for key in object.values.keys where object.has(key) && !Self.known.contains(key) {
      throw object.invalid(key, "absent, because it is not known how it changes positions")
    }
    scaling = try Self.scaling(object, in: json, contextLength: contextLength)
  }

  private static func checkWidth(_ object: ConfigurationObject) throws(ConfigurationError) {
    let share = try object.optionalNumber("partial_rotary_factor") ?? 1
    guard share == 1 else {
      throw object.invalid("partial_rotary_factor", "1: positions rotate the whole of a head")
    }
  }

  private static func scaling(
    _ object: ConfigurationObject, in json: ConfigurationObject, contextLength: Int
  ) throws(ConfigurationError) -> RotaryEmbedding.Scaling {
    switch try object.optionalString("rope_type", "type") ?? "default" {
    case "default": return .none
    case "linear": return .linear(factor: try object.number("factor"))
    case "llama3":
      return .llama3(
        factor: try object.number("factor"), lowFactor: try object.number("low_freq_factor"),
        highFactor: try object.number("high_freq_factor"),
        originalLength: try originalLength(object, in: json) ?? contextLength)
    case "yarn":
      let length = try originalLength(object, in: json) ?? contextLength
      let factor =
        try object.optionalNumber("factor") ?? Double(contextLength) / Double(length)
      return .yarn(
        factor: factor,
        betaFast: try object.optionalNumber("beta_fast", above: -1e-9).nonzero ?? 32,
        betaSlow: try object.optionalNumber("beta_slow", above: -1e-9).nonzero ?? 1,
        originalLength: length, attentionFactor: try attentionFactor(object, scale: factor),
        truncates: try object.optionalBool("truncate") ?? true)
    default:
      let key = object.has("rope_type") ? "rope_type" : "type"
      throw object.invalid(key, "default, linear, llama3 or yarn")
    }
  }

  /// A length beside the scaling's keys wins, as in transformers.
  private static func originalLength(
    _ object: ConfigurationObject, in json: ConfigurationObject
  ) throws(ConfigurationError) -> Int? {
    let (key, range) = ("original_max_position_embeddings", 1...(1 << 30))
    let holder = json.has(key) ? json : object
    return try holder.optionalInt(key, in: range)
  }

  /// The factor of sines and cosines: as given, or the ratio of both temperatures if there are two, or equation 22 of the
  /// paper.
  ///
  /// - SeeAlso: Peng et al. 2023, *YaRN*, §3.4; DeepSeek-V2 introduced the two keys.
  private static func attentionFactor(
    _ object: ConfigurationObject, scale: Double
  ) throws(ConfigurationError) -> Double {
    if let factor = try object.optionalNumber("attention_factor") { return factor }
    func temperature(_ weight: Double) -> Double {
      scale <= 1 ? 1 : 0.1 * weight * log(scale) + 1
    }
    let mscale = try object.optionalNumber("mscale", above: -.infinity).nonzero
    let all = try object.optionalNumber("mscale_all_dim", above: -.infinity).nonzero
    guard let mscale, let all else { return temperature(1) }
    let ratio = temperature(mscale) / temperature(all)
    guard ratio.isFinite, ratio != 0 else {
      throw object.invalid("mscale_all_dim", "a number with which attention stays finite")
    }
    return ratio
  }
}

extension Double? {
  /// The number, unless it is 0, which files write for a value that is not set.
  fileprivate var nonzero: Double? { self == 0 ? nil : self }
}
