import MoECore
import MoERouting
import MoETensor

/// ProMoE: experts choose the tokens nearest to their prototypes, in each image.
///
/// - SeeAlso: *Routing Matters in MoE: Scaling Diffusion Transformers with Explicit Routing Guidance*, §3,
///   [arXiv:2510.24711](https://arxiv.org/abs/2510.24711).
struct ProMoEExpertChoiceRule: DiffusionRule {
  static let name = "promoe_expert_choice"
  static let title = "ProMoE, experts choosing"
  static let hasRoles = true
  static let keys = ProMoERule.keys
  // Checkpoints do not say whether tokens or experts choose.
  static let signature = ProMoERule.signature
  static let terms = ProMoERule.terms
  static let hasSignedWeights = true

  /// `[experts, width]`.
  private let clusterCenters: Parameter
  private let router: ExpertChoiceRouter

  init(_ weights: DiffusionRuleWeights) throws {
    clusterCenters = try weights.prototypes()
    let scoring: ExpertChoiceRouter.Scoring =
      switch weights.experts.scoring {
      case .identity: .identity
      case .sigmoid: .sigmoid
      case .softmax: .softmaxOverTokens
      }
    router = try ExpertChoiceRouter(weights.experts, scoring: scoring)
  }

  var prototypes: Tensor? { clusterCenters.value }

  func route(_ tokens: LabelledTokens, pass: DiffusionPass) -> RoutedTokens {
    let scores = Prototypes.scores(of: tokens.values, prototypes: clusterCenters.value)
    return RoutedTokens(tokens, router.route(scores, in: tokens.context))
  }

  /// The contrastive loss; tokens are compared image by image.
  func loss(_ term: String, of routed: RoutedTokens, parameters: [String: Double]) -> Tensor {
    let (tokens, images) = (routed.tokens.values, routed.tokens.labels.count)
    guard case .byExpert(let chosen) = routed.routing.choice else {
      programmerError("'\(Self.name)' needs an assignment in which experts choose")
    }
    guard images > 0 else { return Tensor(0 as Float).moved(to: tokens.device) }
    // Each expert took as many tokens of every image, in the order of the images.
    let taken = chosen[0].count / images
    let rows = (0..<images).flatMap { image in
      chosen.flatMap { $0[image * taken..<(image + 1) * taken] }
    }
    let means = tokens.selecting(Tensor(rows).moved(to: tokens.device)).cast(to: .f32)
      .reshaped([images, chosen.count, taken, tokens.size(1)]).mean(axis: 2)
    return RoutingLosses.contrastive(
      means: means, prototypes: clusterCenters.value,
      temperature: RoutingTerm.temperature(parameters))
  }
}

extension DiffusionExpertsConfiguration.Router {
  /// ProMoE: experts choose the tokens nearest to their prototypes, in each image.
  public static let promoeExpertChoice = Self(ProMoEExpertChoiceRule.self)
}
