import MoECore
import MoERouting
public import MoETensor

/// DiffMoE: experts choose from the whole batch, and predict how much they would take.
///
/// - SeeAlso: *DiffMoE: Dynamic Token Selection for Scalable Diffusion Transformers*,
///   [arXiv:2503.14487](https://arxiv.org/abs/2503.14487).
struct DiffMoERule: DiffusionRule {
  static let name = "diffmoe"
  static let title = "DiffMoE"
  static let signature = ["gate_weight", "expert_threshold"]
  static let buffers = ["expert_threshold", "ema_decay"]
  static let terms: [RoutingTerm] = [
    .balance(), RoutingTerm("capacity", coefficient: 0.01, needs: "predicted capacities"),
  ]
  static let treatsImagesAlone = false
  static let learnsFromRouting = true

  /// `[experts, width]`, without bias.
  private let gate: Linear
  private let predictor: CapacityPredictor
  private let router: ExpertChoiceRouter

  init(_ weights: DiffusionRuleWeights) throws {
    gate = try weights.expertChoiceGate()
    predictor = try CapacityPredictor(weights)
    router = try ExpertChoiceRouter(weights.experts)
  }

  func route(_ tokens: LabelledTokens, pass: DiffusionPass) -> RoutedTokens {
    let logits = gate(tokens.values).cast(to: .f32)
    let predictions = predictor(tokens.values.detached())
    let routing =
      pass.isTraining
      ? router.route(logits)
      : CapacityPrediction.route(
        logits, predictions: predictions, thresholds: predictor.thresholds.value)
    return RoutedTokens(tokens, routing, evidence: [predictions])
  }

  /// How well capacities were predicted.
  func loss(_ term: String, of routed: RoutedTokens, parameters: [String: Double]) -> Tensor {
    CapacityPrediction.loss(predictions: routed.evidence[0], routing: routed.routing)
  }

  /// Updates the thresholds.
  func learn(from routed: RoutedTokens) {
    predictor.thresholds.assign(
      CapacityPrediction.updated(
        predictor.thresholds.value, predictions: routed.evidence[0],
        taken: routed.routing.load.tokens.first ?? 1,
        decay: Double(predictor.decay.value.cast(to: .f32).array(of: Float.self)[0])))
  }
}

/// DiffMoE's predictor of how many tokens each expert would take.
private struct CapacityPredictor {
  /// `[width, width]`.
  let first: Linear
  /// `[experts, width]`.
  let second: Linear
  /// f32, `[experts]`, a state of training.
  let thresholds: Parameter
  /// Fraction of a threshold that is kept at each step, shape `[1]`.
  let decay: Parameter

  init(_ weights: DiffusionRuleWeights) throws {
    let (count, width) = (weights.experts.count, weights.width)
    first = try weights.linear("capacity_predictor.0", outputs: width, inputs: width)
    second = try weights.linear("capacity_predictor.2", outputs: count, inputs: width)
    thresholds = try weights.buffer("expert_threshold", [count], start: .zeros)
    decay = try weights.buffer("ema_decay", [1], start: .given([0.95]))
  }

  /// Predictions before the sigmoid: `[tokens, width] → [tokens, experts]`.
  func callAsFunction(_ x: Tensor) -> Tensor { second(first(x).silu()) }
}

extension DiffusionExpertsConfiguration.Router {
  /// DiffMoE: experts choose from the whole batch, and predict how much they would take.
  public static let diffMoE = Self(DiffMoERule.self)
}

extension DiffusionExperts.Output {
  /// How well capacities were predicted, shape `[]`, or `nil` for rules without a predictor.
  public var capacityLoss: Tensor? { loss("capacity") }
}
