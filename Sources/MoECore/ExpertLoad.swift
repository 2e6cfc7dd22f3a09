/// How many tokens each expert of a layer received.
public struct ExpertLoad: Hashable, Codable, Sendable {
  /// Tokens per expert; a token counts once for each expert it was routed to.
  public var tokens: [Int]

  /// Wraps counts, one per expert.
  public init(tokens: [Int]) { self.tokens = tokens }

  /// Tokens over all experts.
  public var total: Int { tokens.reduce(0, +) }

  /// The maximum over the mean of the counts: 1 for perfect balance, and 1 when there are no
  /// tokens.
  public var imbalance: Double {
    total == 0 ? 1 : Double(tokens.max() ?? 0) * Double(tokens.count) / Double(total)
  }

  /// The standard deviation over the mean of the counts: 0 for perfect balance, and 0 without
  /// tokens.
  public var coefficientOfVariation: Double {
    guard total > 0 else { return 0 }
    let mean = Double(total) / Double(tokens.count)
    let variance =
      tokens.reduce(0) { $0 + (Double($1) - mean) * (Double($1) - mean) } / Double(tokens.count)
    return variance.squareRoot() / mean
  }

  /// Experts that received no tokens.
  public var deadExperts: [Int] { tokens.indices.filter { tokens[$0] == 0 } }

  /// Adds counts of the same experts.
  ///
  /// - Precondition: Both have the same number of experts.
  public static func + (left: ExpertLoad, right: ExpertLoad) -> ExpertLoad {
    precondition(left.tokens.count == right.tokens.count, "loads of different layers")
    return ExpertLoad(tokens: zip(left.tokens, right.tokens).map { $0 + $1 })
  }
}
