public import MoETensor

/// A rule that assigns tokens to experts, given a gate's scores.
///
/// A router has no weights and no state: the same scores, and the same random numbers if it draws
/// any, give the same assignment. The gate that computes the scores is a layer of the model.
public protocol Router: Sendable {
  /// The number of columns that the gate must output for a layer with this many experts.
  ///
  /// Equal to the number of experts, unless the rule needs several scores per expert.
  func gateColumns(experts: Int) -> Int

  /// Experts that work on a token: exactly, or on average where experts choose.
  func expertsPerToken(experts: Int) -> Double

  /// Whether a layer keeps a bias per expert that is added to the scores when experts are chosen.
  ///
  /// The bias follows the load in training; see ``SelectionBias``.
  var usesSelectionBias: Bool { get }

  /// Whether assignments depend on random numbers where the context has any.
  ///
  /// Such a rule gives another assignment when it is called again, so a layer with it cannot be recomputed.
  var drawsRandomNumbers: Bool { get }

  /// Whether a token's experts depend on later tokens of its sequence.
  ///
  /// The loss of a causal language model with such a rule is too good.
  var seesFuture: Bool { get }

  /// Whether weights can be negative.
  var hasNegativeWeights: Bool { get }

  /// Assigns tokens to experts.
  ///
  /// - Parameters:
  ///   - logits: The gate's scores, shape `[tokens, gateColumns]`, finite, of any floating-point
  ///     type.
  ///   - context: Further inputs of the rule.
  /// - Returns: The assignment. Choices are the same whether or not gradients are recorded.
  func route(_ logits: Tensor, in context: RoutingContext) -> Routing
}

extension Router {
  /// One column per expert.
  public func gateColumns(experts: Int) -> Int { experts }
  /// No bias.
  public var usesSelectionBias: Bool { false }
  /// No random numbers.
  public var drawsRandomNumbers: Bool { false }
  /// Each token is assigned by its own scores.
  public var seesFuture: Bool { false }
  /// All weights are at least 0.
  public var hasNegativeWeights: Bool { false }

  /// Assigns tokens that form one sequence, without random numbers.
  public func route(_ logits: Tensor) -> Routing { route(logits, in: RoutingContext()) }
}

/// Further inputs that some rules need besides scores.
public struct RoutingContext {
  /// The number of tokens of each sequence, in order; `nil` if all tokens form one sequence.
  public var sequenceLengths: [Int]?
  /// Added to the scores when experts are chosen, but not to the weights: shape `[experts]`.
  public var selectionBias: Tensor?
  /// The source of random numbers; without it, rules add no noise.
  public var random: RandomSource?
  /// The experts of each token in place of the best, `chosen[token · k + slot]`, for rules by which tokens choose.
  ///
  /// Their weights are those of the scores. So models can be compared without differences in what they choose.
  public var chosen: [Int]?

  /// Collects the inputs of a rule.
  public init(
    sequenceLengths: [Int]? = nil, selectionBias: Tensor? = nil, random: RandomSource? = nil
  ) {
    self.sequenceLengths = sequenceLengths
    self.selectionBias = selectionBias
    self.random = random
  }
}
