import MoECore
import MoERouting
import MoETensor

/// EC-DiT: experts choose by a learned gate, within each image.
///
/// - SeeAlso: *EC-DIT: Scaling Diffusion Transformers with Adaptive Expert-Choice Routing*,
///   [arXiv:2410.02098](https://arxiv.org/abs/2410.02098).
struct ECDiTRule: DiffusionRule {
  static let name = "ec_dit"
  static let title = "EC-DiT"
  static let signature = ["gate_weight"]

  /// `[experts, width]`, without bias.
  private let gate: Linear
  private let router: ExpertChoiceRouter

  init(_ weights: DiffusionRuleWeights) throws {
    gate = try weights.expertChoiceGate()
    router = try ExpertChoiceRouter(weights.experts)
  }

  func route(_ tokens: LabelledTokens, pass: DiffusionPass) -> RoutedTokens {
    RoutedTokens(tokens, router.route(gate(tokens.values).cast(to: .f32), in: tokens.context))
  }
}

extension DiffusionExpertsConfiguration.Router {
  /// EC-DiT: experts choose by a learned gate, within each image.
  public static let expertChoice = Self(ECDiTRule.self)
}

extension DiffusionRuleWeights {
  /// The gate of experts that choose: `[experts, width]`, without bias.
  func expertChoiceGate() throws -> Linear {
    Linear(weight: try weight("gate_weight", [experts.count, width], start: .normal(0.006)))
  }
}

extension ExpertChoiceRouter {
  /// Experts that take the configured number of tokens.
  init(
    _ experts: DiffusionExpertsConfiguration, scoring: Scoring = .softmax
  ) throws(SettingError) {
    try self.init(
      capacityFactor: Double(experts.perToken), experts: experts.count, scoring: scoring)
  }
}
