public import MoECore
public import MoETensor

/// Token choice with learned noise, which distributes tokens among close experts in training.
///
///     h = logits + ε · softplus(noise logits),  ε normal, independent for each token and expert
///     chosen = the k largest of h;  weight = softmax over the chosen h
///
/// The gate has two columns per expert: logits, then noise logits. Without a random source in the
/// context there is no noise, and the noise logits have no effect. Ties go to the lower expert
/// index.
///
/// - SeeAlso: Shazeer et al. 2017, *Outrageously Large Neural Networks*, §2.1, equations 3–5,
///   [arXiv:1701.06538](https://arxiv.org/abs/1701.06538).
public struct NoisyTopKRouter: Router, Hashable {
  /// Experts per token.
  public let k: Int

  /// Creates a router for layers of `experts` experts.
  ///
  /// - Throws: `SettingError` unless `k` is from 1 to `experts`.
  public init(k: Int, experts: Int) throws(SettingError) {
    guard k >= 1, k <= experts else {
      throw SettingError(key: "experts per token", value: "\(k)", expected: "in 1…\(experts)")
    }
    self.k = k
  }

  /// Two columns per expert.
  public func gateColumns(experts: Int) -> Int { 2 * experts }

  /// Exactly `k`.
  public func expertsPerToken(experts: Int) -> Double { Double(k) }

  /// Noise is added to the scores.
  public var drawsRandomNumbers: Bool { true }

  /// Assigns each token to its best experts after adding noise.
  public func route(_ logits: Tensor, in context: RoutingContext) -> Routing {
    let (tokens, experts) = (logits.size(0), logits.size(1) / 2)
    let parts = logits.cast(to: .f32).split(count: 2, axis: 1)
    var noisy = parts[0]  // [tokens, experts]
    if let random = context.random {
      noisy = noisy + random.normal([tokens, experts], on: logits.device) * parts[1].softplus()
    }
    let chosen = withoutGradients { TopK.columns(of: noisy, k: k) }
    let indices = Tensor(chosen, shape: [tokens, k]).moved(to: logits.device)
    return Routing(
      tokenCount: tokens, expertCount: experts, choice: .byToken(experts: chosen, k: k),
      weights: noisy.gather(indices, axis: 1).softmax(axis: 1),
      probabilities: noisy.softmax(axis: 1))
  }
}

extension NoisyTopKRouter: ConfigurableRouter {
  /// Reads `k`.
  ///
  /// - Throws: `ConfigurationError` or `SettingError`.
  public init(_ json: ConfigurationObject, experts: Int) throws {
    try json.refuseKeys(except: ["type", "k"])
    try self.init(k: try json.int("k", in: 1...experts), experts: experts)
  }
}
