import MoECore
import MoERouting
import MoETensor

/// TC-DiT: tokens choose by a learned gate, and a balance loss keeps all experts in use.
struct TCDiTRule: DiffusionRule {
  static let name = "tc_dit"
  static let title = "TC-DiT"
  static let signature = ["gate.weight"]
  static let terms: [RoutingTerm] = [.balance(0.01)]

  /// `[experts, width]`, without bias.
  private let gate: Linear
  private let router: TokenChoiceRouter

  init(_ weights: DiffusionRuleWeights) throws {
    let (count, width) = (weights.experts.count, weights.width)
    // Kaiming's uniform initialization with the slope √5: ±1 / √inputs.
    gate = Linear(
      weight: try weights.weight(
        "gate.weight", [count, width], start: .uniform(1 / Double(width).squareRoot())))
    router = try TokenChoiceRouter(
      k: weights.experts.perToken, experts: count, renormalizes: false)
  }

  func route(_ tokens: LabelledTokens, pass: DiffusionPass) -> RoutedTokens {
    RoutedTokens(tokens, router.route(gate(tokens.values).cast(to: .f32), in: tokens.context))
  }
}

extension DiffusionExpertsConfiguration.Router {
  /// TC-DiT: tokens choose by a learned gate.
  public static let tokenChoice = Self(TCDiTRule.self)
}
