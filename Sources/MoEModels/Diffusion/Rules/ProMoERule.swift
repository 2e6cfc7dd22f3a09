import MoECore
import MoERouting
public import MoETensor

/// ProMoE: tokens choose the experts of their nearest prototypes.
///
/// - SeeAlso: *Routing Matters in MoE: Scaling Diffusion Transformers with Explicit Routing Guidance*, §3,
///   [arXiv:2510.24711](https://arxiv.org/abs/2510.24711).
struct ProMoERule: DiffusionRule {
  static let name = "promoe"
  static let title = "ProMoE, tokens choosing"
  static let hasRoles = true
  static let keys: Set<DiffusionRuleKey> = [.perToken, .scoring]
  static let signature = ["cluster_centers"]
  static let terms: [RoutingTerm] = [.contrastive, .balance()]
  static let hasSignedWeights = true

  /// `[experts, width]`.
  let clusterCenters: Parameter
  private let router: PrototypeRouter

  init(_ weights: DiffusionRuleWeights) throws {
    let experts = weights.experts
    clusterCenters = try weights.prototypes()
    router = try PrototypeRouter(
      k: experts.perToken, experts: experts.count, scoring: experts.scoring)
  }

  var prototypes: Tensor? { clusterCenters.value }

  func route(_ tokens: LabelledTokens, pass: DiffusionPass) -> RoutedTokens {
    // Cosines in f32.
    let scores = Prototypes.scores(of: tokens.values, prototypes: clusterCenters.value)
    return RoutedTokens(tokens, router.route(scores, in: tokens.context))
  }

  /// The contrastive loss; tokens are compared over the whole batch.
  func loss(_ term: String, of routed: RoutedTokens, parameters: [String: Double]) -> Tensor {
    guard case .byToken(let experts, let k) = routed.routing.choice else {
      programmerError("'\(Self.name)' needs an assignment in which tokens choose")
    }
    var assigned = [[Int]](repeating: [], count: routed.routing.expertCount)
    for (choice, expert) in experts.enumerated() { assigned[expert].append(choice / k) }
    return RoutingLosses.contrastive(
      tokens: routed.tokens.values, prototypes: clusterCenters.value, assigned: assigned,
      temperature: RoutingTerm.temperature(parameters))
  }
}

extension DiffusionExpertsConfiguration.Router {
  /// ProMoE: tokens choose the experts of their nearest prototypes.
  public static let promoe = Self(ProMoERule.self)
}

extension DiffusionRuleWeights {
  /// ProMoE's prototypes, `[experts, width]`.
  func prototypes() throws -> Parameter {
    try weight("cluster_centers", [experts.count, width], start: .normal(0.02))
  }
}

extension RoutingTerm {
  /// ProMoE's routing contrastive loss, with the paper's coefficient and temperature.
  static let contrastive = RoutingTerm(
    "contrastive", coefficient: 1, parameters: [.init("temperature", 0.07)], needs: "prototypes")

  /// τ among the parameters of ``contrastive``.
  static func temperature(_ parameters: [String: Double]) -> Double {
    parameters["temperature"] ?? contrastive.parameters[0].value
  }
}

extension DiffusionExperts.Output {
  /// ProMoE's routing contrastive loss, or `nil` for rules without prototypes.
  ///
  /// Tokens are compared over the whole batch if they chose, and image by image if experts chose.
  ///
  /// - Parameter temperature: τ; 0.07 in the paper.
  /// - Returns: Shape `[]`.
  public func contrastiveLoss(temperature: Double) -> Tensor? {
    loss("contrastive", parameters: ["temperature": temperature])
  }
}
