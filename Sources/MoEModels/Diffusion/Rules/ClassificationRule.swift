import MoECore
import MoERouting
public import MoETensor

/// A classifier that learns groups of classes sends whole images to experts.
///
/// - SeeAlso: *Routing Matters in MoE: Scaling Diffusion Transformers with Explicit Routing Guidance*, §4, where it
///   is a baseline, [arXiv:2510.24711](https://arxiv.org/abs/2510.24711).
struct ClassificationRule: DiffusionRule {
  static let name = "classification"
  static let title = "a model routed by classification"
  static let hasRoles = true
  static let keys: Set<DiffusionRuleKey> = [.superclasses]
  static let signature = ["classifier.weight"]
  static let terms: [RoutingTerm] = [
    .balance(), RoutingTerm("classification", coefficient: 1, needs: "classifier"),
  ]

  /// With bias, `[experts, width]`.
  private let classifier: Linear
  /// The expert of each class.
  private let superclasses: [Int]
  private let router: TokenChoiceRouter

  init(_ weights: DiffusionRuleWeights) throws {
    classifier = try weights.linear(
      "classifier", outputs: weights.experts.count, inputs: weights.width)
    superclasses = weights.experts.superclasses
    router = try TokenChoiceRouter(k: 1, experts: weights.experts.count, renormalizes: false)
  }

  func route(_ tokens: LabelledTokens, pass: DiffusionPass) -> RoutedTokens {
    let (x, perImage) = (tokens.values, tokens.perImage)
    let means = x.reshaped([tokens.labels.count, perImage, x.size(1)]).mean(axis: 1)
    let logits = classifier(means).cast(to: .f32)  // [images, experts]
    let routing = router.route(logits).spread(tokensPerSample: perImage)
    return RoutedTokens(tokens, routing, evidence: [logits])
  }

  /// How well images were assigned to the experts of their classes.
  func loss(_ term: String, of routed: RoutedTokens, parameters: [String: Double]) -> Tensor {
    let logits = routed.evidence[0]
    // Without an unconditional expert, an image without a label has no correct expert; -100 is
    // ignored.
    let targets = routed.tokens.labels.map { $0.map { superclasses[$0] } ?? -100 }
    guard targets.contains(where: { $0 >= 0 }) else {
      return Tensor(0 as Float).moved(to: logits.device)
    }
    return logits.crossEntropy(targets: Tensor(targets).moved(to: logits.device))
  }
}

extension DiffusionExpertsConfiguration.Router {
  /// A classifier sends whole images to experts.
  public static let classification = Self(ClassificationRule.self)
}

extension DiffusionExperts.Output {
  /// How well images were assigned to the experts of their classes, shape `[]`, or `nil` for rules without a
  /// classifier.
  public var classificationLoss: Tensor? { loss("classification") }
}
