public import MoECore
public import MoETensor

/// Routes each token or sample to its most likely expert, with a temperature and a choice of gate
/// gradient.
///
///     p = softmax(logits / temperature)        in f32
///     k = the largest p, the lower expert of equal ones
///     y = weight · E_k                          weight by ``Gradient``
///
/// - SeeAlso: Pandey et al. 2025, *Hecto*, [arXiv:2506.22919](https://arxiv.org/abs/2506.22919),
///   whose gate has a temperature of 1.5; the paper does not say how its gradient is computed.
public struct SingleExpertRouter: Router, Hashable {
  /// How the gradient of the output reaches the gate.
  public enum Gradient: String, Hashable, Codable, Sendable, CaseIterable {
    /// The weight is 1 and has the gradient of p: the output is exactly the expert's, and the gate
    /// learns ∂L/∂logit_j = ⟨∂L/∂y, E_k⟩ · p_k · (1[j = k] − p_j) / temperature.
    case straightThrough = "straight_through"
    /// The weight is p, as in Switch Transformers, so outputs shrink with the gate's uncertainty.
    case scaled
    /// Every expert is computed and weighted by p; for training only, because it costs all experts.
    case soft
    /// The weight is 1, and the gate learns only from auxiliary losses.
    case hard
  }

  /// Divides the logits; above 1 makes the gate less certain.
  public let temperature: Double
  /// How the gate learns.
  public let gradient: Gradient

  /// Creates a router.
  ///
  /// - Throws: `SettingError` unless the temperature is finite and above 0.
  public init(temperature: Double = 1, gradient: Gradient = .straightThrough) throws(SettingError) {
    guard temperature.isFinite, temperature > 0 else {
      throw SettingError(key: "temperature", value: "\(temperature)", expected: "above 0")
    }
    (self.temperature, self.gradient) = (temperature, gradient)
  }

  /// The router for inference: a soft mixture becomes its most likely expert.
  public var forInference: SingleExpertRouter {
    gradient == .soft ? SingleExpertRouter(unchecked: temperature, .hard) : self
  }

  private init(unchecked temperature: Double, _ gradient: Gradient) {
    (self.temperature, self.gradient) = (temperature, gradient)
  }

  /// One, or all for a soft mixture.
  public func expertsPerToken(experts: Int) -> Double { gradient == .soft ? Double(experts) : 1 }

  /// Assigns each token to its most likely expert, or to all for a soft mixture.
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
