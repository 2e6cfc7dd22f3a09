public import MoECore
public import MoETensor

/// Expert-choice routing: in each sequence, each expert takes the tokens with the highest scores
/// for it.
///
///     p = softmax(logits) over experts, in f32, or another ``Scoring``
///     capacity = max(1, ⌊tokens of the sequence · capacityFactor / experts⌋)
///     expert e takes the `capacity` tokens with the largest p[·, e], with weight p[token, e]
///
/// Every expert has the same load by construction. A token may get no expert or several. Later
/// tokens of a sequence influence the choice among earlier ones, so a causal language model with
/// this rule leaks information about the future; it is meant for encoders and diffusion.
///
/// Ties go to the earlier token.
///
/// - SeeAlso: Zhou et al. 2022, *Mixture-of-Experts with Expert Choice Routing*, §3.2,
///   [arXiv:2202.09368](https://arxiv.org/abs/2202.09368).
public struct ExpertChoiceRouter: Router, Hashable {
  /// How logits become scores.
  public enum Scoring: String, Hashable, Codable, Sendable, CaseIterable {
    /// exp(logit) over the sum of all experts.
    case softmax
    /// exp(logit) over the sum of all tokens of the sequence.
    case softmaxOverTokens
    /// 1 / (1 + exp(−logit)).
    case sigmoid
    /// The logit itself.
    case identity
  }

  /// Mean number of experts per token.
  public let capacityFactor: Double
  /// How logits become scores.
  public let scoring: Scoring

  /// Creates a router.
  ///
  /// - Throws: `SettingError` unless the factor is above 0 and at most
  ///   the number of experts.
  public init(
    capacityFactor: Double, experts: Int, scoring: Scoring = .softmax
  ) throws(SettingError) {
    guard capacityFactor > 0, capacityFactor <= Double(experts) else {
      throw SettingError(
        key: "capacity factor", value: "\(capacityFactor)",
        expected: "above 0 and at most \(experts)")
    }
    (self.capacityFactor, self.scoring) = (capacityFactor, scoring)
  }

  /// The number of tokens that each expert takes from a sequence of `tokens` tokens.
  public func capacity(tokens: Int, experts: Int) -> Int {
    tokens == 0 ? 0 : max(1, Int(Double(tokens) * capacityFactor / Double(experts)))
  }

  /// The capacity factor.
  public func expertsPerToken(experts: Int) -> Double { capacityFactor }

  /// Later tokens compete for the same places.
  public var seesFuture: Bool { true }

  /// The logit itself may be negative.
  public var hasNegativeWeights: Bool { scoring == .identity }

  /// Lets each expert choose its tokens in every sequence.
  public func route(_ logits: Tensor, in context: RoutingContext) -> Routing {
    let (tokens, experts) = (logits.size(0), logits.size(1))
    let lengths = context.sequenceLengths ?? [tokens]
    require(lengths.reduce(0, +) == tokens, "sequences of \(lengths) tokens, scores of \(tokens)")
    let scores = scores(logits, lengths: lengths)  // [tokens, experts]
    let chosen = withoutGradients { choose(scores, lengths: lengths) }
    let rows = chosen.flatMap(\.self)
    let columns = chosen.enumerated().flatMap { Array(repeating: $0, count: $1.count) }
    let flat = Tensor(zip(rows, columns).map { $0 * experts + $1 }, shape: [rows.count])
    let weights = scores.reshaped([-1]).selecting(flat.moved(to: logits.device))
    return Routing(
      tokenCount: tokens, expertCount: experts, choice: .byExpert(tokens: chosen), weights: weights,
      probabilities: scoring == .softmax ? scores : scores.softmax(axis: 1))
  }

  private func scores(_ logits: Tensor, lengths: [Int]) -> Tensor {
    switch scoring {
    case .softmax: return logits.softmax(axis: 1, dtype: .f32)
    case .sigmoid: return logits.cast(to: .f32).sigmoid()
    case .identity: return logits.cast(to: .f32)
    case .softmaxOverTokens:
      guard !lengths.isEmpty else { return logits.cast(to: .f32) }
      let parts = logits.split(sizes: lengths, axis: 0).map { $0.softmax(axis: 0, dtype: .f32) }
      return parts.count == 1 ? parts[0] : Tensor.concatenated(parts, axis: 0)
    }
  }

  private func choose(_ scores: Tensor, lengths: [Int]) -> [[Int]] {
    let experts = scores.size(1)
    var chosen = [[Int]](repeating: [], count: experts)
    var start = 0
    for length in lengths {
      let byExpert = scores[start..<start + length].transposed().contiguous()  // [experts, length]
      let capacity = capacity(tokens: length, experts: experts)
      let best = TopK.columns(of: byExpert, k: capacity)
      for expert in 0..<experts {
        let places = best[expert * capacity..<(expert + 1) * capacity]
        chosen[expert] += places.sorted().map { start + $0 }
      }
      start += length
    }
    return chosen
  }
}

extension ExpertChoiceRouter: ConfigurableRouter {
  /// Reads `capacity_factor`.
  ///
  /// - Throws: `ConfigurationError` or `SettingError`.
  public init(_ json: ConfigurationObject, experts: Int) throws {
    try json.refuseKeys(except: ["type", "capacity_factor"])
    try self.init(capacityFactor: try json.number("capacity_factor"), experts: experts)
  }
}
