import MoERouting
import MoETensor

/// Tokens go to the nearest centroid; centroids follow their tokens.
///
/// - SeeAlso: *Routing Matters in MoE: Scaling Diffusion Transformers with Explicit Routing Guidance*, §4, where it
///   is a baseline, [arXiv:2510.24711](https://arxiv.org/abs/2510.24711).
struct KMeansRule: DiffusionRule {
  static let name = "k_means"
  static let title = "a model routed by k-means"
  static let hasRoles = true
  static let keys: Set<DiffusionRuleKey> = []
  static let signature = ["centroids"]
  static let buffers = ["centroids"]
  static let learnsFromRouting = true

  /// `[experts, width]`, a state of training; zeros until the first batch.
  private let centroids: Parameter
  private let router: TokenChoiceRouter

  init(_ weights: DiffusionRuleWeights) throws {
    let count = weights.experts.count
    centroids = try weights.buffer("centroids", [count, weights.width], start: .zeros)
    router = try TokenChoiceRouter(k: 1, experts: count, renormalizes: true)
  }

  /// Whether centroids must still be initialized from tokens.
  var needsStart: Bool { !(centroids.value .!= 0).any() }

  func route(_ tokens: LabelledTokens, pass: DiffusionPass) -> RoutedTokens {
    let (x, count) = (tokens.values, centroids.value.size(0))
    if case .starting(let random) = pass, x.size(0) >= count {
      centroids.assign(KMeans.start(count, from: x, random: random))
    }
    let scores = KMeans.scores(of: x, centroids: centroids.value)
    return RoutedTokens(tokens, router.route(scores, in: tokens.context))
  }

  /// Moves each centroid to the mean of its tokens.
  func learn(from routed: RoutedTokens) {
    centroids.assign(
      KMeans.updated(
        centroids.value, tokens: routed.tokens.values, routing: routed.routing))
  }
}

extension DiffusionExpertsConfiguration.Router {
  /// Tokens go to the nearest centroid; centroids follow their tokens.
  public static let kMeans = Self(KMeansRule.self)
}
