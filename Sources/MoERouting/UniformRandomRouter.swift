public import MoECore
public import MoETensor

/// A random baseline: each token takes `k` distinct random experts, each with weight 1 / k.
///
/// The scores are ignored; without a random source in the context, token t takes experts t · k to
/// t · k + k − 1, modulo their number.
public struct UniformRandomRouter: Router, Hashable {
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

  /// Exactly `k`.
  public func expertsPerToken(experts: Int) -> Double { Double(k) }

  /// The choice is random.
  public var drawsRandomNumbers: Bool { true }

  /// Assigns each token to random experts.
  public func route(_ logits: Tensor, in context: RoutingContext) -> Routing {
    let (tokens, experts) = (logits.size(0), logits.size(1))
    var chosen = (0..<tokens * k).map { $0 % experts }
    if let random = context.random {
      // The indices of the k largest of independent numbers are a uniformly random set of k
      // indices.
      chosen = TopK.columns(of: random.uniform([tokens, experts]), k: k)
    }
    return Routing(
      tokenCount: tokens, expertCount: experts, choice: .byToken(experts: chosen, k: k),
      weights: Tensor.full(1 / Double(k), [tokens, k], on: logits.device),
      probabilities: Tensor.full(1 / Double(experts), [tokens, experts], on: logits.device))
  }
}

extension UniformRandomRouter: ConfigurableRouter {
  /// Reads `k`.
  ///
  /// - Throws: `ConfigurationError` or `SettingError`.
  public init(_ json: ConfigurationObject, experts: Int) throws {
    try json.refuseKeys(except: ["type", "k"])
    try self.init(k: try json.int("k", in: 1...experts), experts: experts)
  }
}
