public import MoECore
public import MoETensor

/// One expert for each token or sample, the likeliest, with a temperature and a choice of how the gate learns.
///
///     p = softmax(logits / temperature)        in f32
///     k = the largest p, the lower expert of equal ones
///     y = weight · E_k                          weight by ``Gradient``
///
/// - SeeAlso: Pandey et al. 2025, *Hecto*, [arXiv:2506.22919](https://arxiv.org/abs/2506.22919), whose gate has a
///   temperature of 1.5; the paper's text does not say how its gradient is made.
public struct SingleExpertRouter: Router, Hashable {
  /// How the gradient of the answer reaches the gate.
  public enum Gradient: String, Hashable, Codable, Sendable, CaseIterable {
    /// The weight is 1 and has the gradient of p: the answer is the expert's own, and the gate learns
    /// ∂L/∂logit_j = ⟨∂L/∂y, E_k⟩ · p_k · (1[j = k] − p_j) / temperature.
    case straightThrough = "straight_through"
    /// The weight is p, as in Switch Transformers; answers shrink with the gate's doubt.
    case scaled
    /// Every expert answers, weighted by p; for training only, as it costs all experts.
    case soft
    /// The weight is 1, and the gate learns from auxiliary losses alone.
    case hard
  }

  /// Divides the logits; above 1 makes the gate less sure.
  public let temperature: Double
  /// How the gate learns.
  public let gradient: Gradient

  /// Makes a rule.
  ///
  /// - Throws: `SettingError` unless the temperature is finite and above 0.
  public init(temperature: Double = 1, gradient: Gradient = .straightThrough) throws(SettingError) {
    guard temperature.isFinite, temperature > 0 else {
      throw SettingError(key: "temperature", value: "\(temperature)", expected: "above 0")
    }
    (self.temperature, self.gradient) = (temperature, gradient)
  }

  /// The rule as it is used after training: of a soft mixture, the likeliest expert alone.
  public var forInference: SingleExpertRouter {
    gradient == .soft ? SingleExpertRouter(unchecked: temperature, .hard) : self
  }

  private init(unchecked temperature: Double, _ gradient: Gradient) {
    (self.temperature, self.gradient) = (temperature, gradient)
  }

  /// One, or all of a soft mixture.
  public func expertsPerToken(experts: Int) -> Double { gradient == .soft ? Double(experts) : 1 }

  /// Assigns each token to its likeliest expert, or to all for a soft mixture.
  public func route(_ logits: Tensor, in context: RoutingContext) -> Routing {
    let (tokens, experts) = (logits.size(0), logits.size(1))
    let p = (logits.cast(to: .f32) * (1 / temperature)).softmax(axis: 1)  // [tokens, experts]
    let k = gradient == .soft ? experts : 1
    let chosen = withoutGradients { TopK.columns(of: p, k: k) }
    let indices = Tensor(chosen, shape: [tokens, k]).moved(to: logits.device)
    let own = p.gather(indices, axis: 1)  // [tokens, k]
    let weights =
      switch gradient {
      // The difference is exactly 0, so the weight is exactly 1.
      case .straightThrough: (own - own.detached()) + 1
      case .scaled, .soft: own
      case .hard: Tensor.ones([tokens, 1], on: logits.device)
      }
    return Routing(
      tokenCount: tokens, expertCount: experts, choice: .byToken(experts: chosen, k: k),
      weights: weights, probabilities: p)
  }
}
