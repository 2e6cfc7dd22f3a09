public import MoECore
public import MoERouting

/// A routing rule as data.
public enum RouterConfiguration: Hashable, Sendable {
  /// Nothing is routed, because no layer is sparse.
  case dense
  /// Each token takes its best experts.
  case tokenChoice(
    k: Int, scoring: TokenChoiceRouter.Scoring, renormalizes: Bool, scale: Double,
    groupLimit: TokenChoiceRouter.GroupLimit?, hasSelectionBias: Bool)
  /// Each expert takes its best tokens.
  case expertChoice(capacityFactor: Double)
  /// Token choice with learned noise.
  case noisyTopK(k: Int)
  /// Random experts.
  case uniformRandom(k: Int)

  /// Makes the rule for layers of `experts` experts.
  ///
  /// - Throws: `SettingError` for settings that do not fit.
  public func makeRouter(experts: Int) throws(SettingError) -> any Router {
    switch self {
    case .dense:
      throw SettingError(key: "router", value: "none", expected: "a rule, for sparse layers")
    case .tokenChoice(let k, let scoring, let renormalizes, let scale, let limit, _):
      try TokenChoiceRouter(
        k: k, experts: experts, scoring: scoring, renormalizes: renormalizes, scale: scale,
        groupLimit: limit)
    case .expertChoice(let factor): try ExpertChoiceRouter(capacityFactor: factor, experts: experts)
    case .noisyTopK(let k): try NoisyTopKRouter(k: k, experts: experts)
    case .uniformRandom(let k): try UniformRandomRouter(k: k, experts: experts)
    }
  }

  /// Experts that work on a token: exactly, or on average where experts choose; 0 where no layer is sparse.
  public var expertsPerToken: Double {
    switch self {
    case .dense: 0
    case .tokenChoice(let k, _, _, _, _, _), .noisyTopK(let k), .uniformRandom(let k): Double(k)
    case .expertChoice(let factor): factor
    }
  }

  /// Whether layers keep a selection bias.
  var hasSelectionBias: Bool {
    if case .tokenChoice(_, _, _, _, _, let hasBias) = self { hasBias } else { false }
  }
}
