public import MoECore
public import MoETensor

/// Token-choice routing: each token takes its `k` best experts.
///
/// One router with the options by which the published models differ:
///
///     p = softmax(logits) or sigmoid(logits)                      in f32
///     chosen = the k largest of p + selection bias, within the best groups if groups are limited
///     weight = p[chosen] (· 1 / Σ p[chosen] if renormalized) · scale
///
/// - Mixtral: softmax, renormalized (the same as a softmax over the chosen logits).
/// - OLMoE, DeepSeek-MoE, Qwen2-MoE: softmax, not renormalized.
/// - DeepSeek-V2: softmax, best groups by their largest score, scaled.
/// - DeepSeek-V3: sigmoid, selection bias, best groups by their two largest, renormalized, scaled.
///
/// Ties go to the lower expert index, as do ties between groups. With `k` of 1 and renormalization
/// every weight is exactly 1, and no gradient reaches the gate through the weights.
///
/// - Complexity: O(tokens × experts × `k`).
/// - SeeAlso: Shazeer et al. 2017, §2.1, [arXiv:1701.06538](https://arxiv.org/abs/1701.06538);
///   Jiang et al. 2024 (Mixtral), §2.1, [arXiv:2401.04088](https://arxiv.org/abs/2401.04088);
///   DeepSeek-AI 2024 (DeepSeek-V3), §2.1.2, [arXiv:2412.19437](https://arxiv.org/abs/2412.19437).
public struct TokenChoiceRouter: Router, Hashable {
  /// How logits become scores.
  public enum Scoring: String, Hashable, Codable, Sendable, CaseIterable {
    /// exp(logit) over the sum of all experts.
    case softmax
    /// 1 / (1 + exp(−logit)), independently for each expert.
    case sigmoid
  }

  /// Restricts each token to the experts of its best groups.
  public struct GroupLimit: Hashable, Codable, Sendable {
    /// How a group's score is computed from its experts' scores.
    public enum Score: String, Hashable, Codable, Sendable, CaseIterable {
      /// The largest (DeepSeek-V2).
      case largest
      /// The sum of the two largest (DeepSeek-V3).
      case twoLargest
    }

    /// The number of groups; neighbouring experts form a group.
    public var groups: Int
    /// The number of groups that a token may use.
    public var kept: Int
    /// How groups are compared.
    public var score: Score

    /// Describes a limit.
    public init(groups: Int, kept: Int, score: Score) {
      (self.groups, self.kept, self.score) = (groups, kept, score)
    }
  }

  /// Experts per token.
  public let k: Int
  /// How logits become scores.
  public let scoring: Scoring
  /// Whether weights are divided by their sum over the chosen experts.
  public let renormalizes: Bool
  /// A factor applied to all weights.
  public let scale: Double
  /// The limit to the best groups, if any.
  public let groupLimit: GroupLimit?
  /// Whether a layer keeps a bias per expert for the choice.
  public let usesSelectionBias: Bool

  /// Creates a router for layers of `experts` experts.
  ///
  /// - Throws: `SettingError` for inconsistent options.
  public init(
    k: Int, experts: Int, scoring: Scoring = .softmax, renormalizes: Bool, scale: Double = 1,
    groupLimit: GroupLimit? = nil, usesSelectionBias: Bool = false
  ) throws(SettingError) {
    (self.k, self.scoring, self.renormalizes) = (k, scoring, renormalizes)
    self.usesSelectionBias = usesSelectionBias
    (self.scale, self.groupLimit) = (scale, groupLimit)
    guard experts >= 1 else {
      throw SettingError(key: "number of experts", value: "\(experts)", expected: "at least 1")
    }
    try Self.check("experts per token", k, 1...experts)
    guard scale.isFinite, scale > 0 else {
      throw SettingError(key: "scale", value: "\(scale)", expected: "above 0")
    }
    if let groupLimit { try Self.check(groupLimit, k: k, experts: experts) }
  }

  private static func check(_ limit: GroupLimit, k: Int, experts: Int) throws(SettingError) {
    guard limit.groups > 0, experts.isMultiple(of: limit.groups) else {
      throw SettingError(
        key: "number of groups", value: "\(limit.groups)",
        expected: "a divisor of \(experts) experts")
    }
    try check("number of kept groups", limit.kept, 1...limit.groups)
    let size = experts / limit.groups
    guard limit.score == .largest || size >= 2 else {
      throw SettingError(
        key: "group size", value: "\(size)", expected: "at least 2, to sum the two largest scores")
    }
    guard k <= limit.kept * size else {
      throw SettingError(
        key: "experts per token", value: "\(k)",
        expected: "at most \(limit.kept * size), the experts in \(limit.kept) kept groups")
    }
  }

  private static func check(
    _ key: String, _ value: Int, _ range: ClosedRange<Int>
  ) throws(SettingError) {
    guard range.contains(value) else {
      throw SettingError(
        key: key, value: "\(value)", expected: "in \(range.lowerBound)…\(range.upperBound)")
    }
  }

  /// Exactly `k`.
  public func expertsPerToken(experts: Int) -> Double { Double(k) }

  /// Assigns each token to its best experts.
  public func route(_ logits: Tensor, in context: RoutingContext) -> Routing {
    let (tokens, experts) = (logits.size(0), logits.size(1))
    let scores =
      scoring == .softmax
      ? logits.softmax(axis: 1, dtype: .f32) : logits.cast(to: .f32).sigmoid()  // [tokens, experts]
    let chosen = context.chosen ?? choose(scores, bias: context.selectionBias)
    precondition(chosen.count == tokens * k, "\(chosen.count) experts for \(tokens) tokens")
    let indices = Tensor(chosen, shape: [tokens, k]).moved(to: logits.device)
    var weights = scores.gather(indices, axis: 1)  // [tokens, k]
    if renormalizes {
      // DeepSeek-V3's constant; a sum of softmax scores is never that small.
      weights = weights / (weights.sum(axis: 1, keepAxes: true) + (scoring == .sigmoid ? 1e-20 : 0))
    }
    if scale != 1 { weights = weights * scale }
    let shares =
      scoring == .softmax ? scores : scores / (scores.sum(axis: 1, keepAxes: true) + 1e-20)
    return Routing(
      tokenCount: tokens, expertCount: experts, choice: .byToken(experts: chosen, k: k),
      weights: weights, probabilities: shares)
  }

  private func choose(_ scores: Tensor, bias: Tensor?) -> [Int] {
    withoutGradients {
      var candidates = bias.map { scores + $0.cast(to: .f32) } ?? scores
      if let groupLimit { candidates = Self.limited(candidates, groupLimit) }
      return TopK.columns(of: candidates, k: k)
    }
  }

  /// Moves scores outside each token's best groups below all others.
  private static func limited(_ scores: Tensor, _ limit: GroupLimit) -> Tensor {
    let (tokens, experts) = (scores.size(0), scores.size(1))
    let grouped = scores.reshaped([tokens, limit.groups, experts / limit.groups])
    let groupScores =
      limit.score == .largest
      ? grouped.max(axis: 2) : grouped.topK(2).values.sum(axis: 2)  // [tokens, groups]
    let kept = TopK.columns(of: groupScores, k: limit.kept)
    var dropped = [Bool](repeating: true, count: tokens * limit.groups)
    for (place, group) in kept.enumerated() {
      dropped[place / limit.kept * limit.groups + group] = false
    }
    let mask = Tensor(dropped, shape: [tokens, limit.groups, 1]).moved(to: scores.device)
    return grouped.filled(with: -.infinity, where: mask).reshaped([tokens, experts])
  }
}

extension TokenChoiceRouter: ConfigurableRouter {
  /// Reads `k` and `renormalize`, and if they are there `scoring`, `scale`, `groups` with `kept_groups` and
  /// `group_score`, and `selection_bias`.
  ///
  /// - Throws: `ConfigurationError` or `SettingError`.
  public init(_ json: ConfigurationObject, experts: Int) throws {
    try json.refuseKeys(except: [
      "type", "k", "scoring", "renormalize", "scale", "groups", "kept_groups", "group_score",
      "selection_bias",
    ])
    var limit: GroupLimit?
    if let groups = try json.optionalInt("groups", in: 1...experts) {
      limit = GroupLimit(
        groups: groups, kept: try json.int("kept_groups", in: 1...groups),
        score: json.has("group_score") ? try json.choice("group_score") : .largest)
    }
    try self.init(
      k: try json.int("k", in: 1...experts), experts: experts,
      scoring: json.has("scoring") ? try json.choice("scoring") : .softmax,
      renormalizes: try json.bool("renormalize"), scale: try json.optionalNumber("scale") ?? 1,
      groupLimit: limit, usesSelectionBias: try json.optionalBool("selection_bias") ?? false)
  }
}
