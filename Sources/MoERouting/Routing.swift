public import MoECore
public import MoETensor

/// Which experts process which tokens, and with which weights.
public struct Routing {
  /// The two kinds of choice.
  public enum Choice {
    /// Every token chose `k` distinct experts, `experts[token · k + slot]`.
    case byToken(experts: [Int], k: Int)
    /// Every expert chose tokens, in ascending order; the number may differ between experts.
    case byExpert(tokens: [[Int]])
  }

  /// Number of tokens.
  public var tokenCount: Int
  /// Number of experts.
  public var expertCount: Int
  /// The assignment.
  public var choice: Choice
  /// The weight of each expert's output, differentiable.
  ///
  /// Shape `[tokens, k]` if tokens chose, in the order of their choices; `[assignments]` if experts
  /// chose, expert by expert.
  public var weights: Tensor
  /// The scores as probabilities per token, shape `[tokens, experts]`, f32, differentiable; used by
  /// balance losses.
  public var probabilities: Tensor

  /// Describes an assignment.
  public init(
    tokenCount: Int, expertCount: Int, choice: Choice, weights: Tensor, probabilities: Tensor
  ) {
    (self.tokenCount, self.expertCount, self.choice) = (tokenCount, expertCount, choice)
    (self.weights, self.probabilities) = (weights, probabilities)
  }

  /// The same without the history of its computation.
  package var detached: Routing {
    Routing(
      tokenCount: tokenCount, expertCount: expertCount, choice: choice,
      weights: weights.detached(), probabilities: probabilities.detached())
  }

  /// Every assignment as `[token, expert]`, in the order of the weights.
  public var assignments: [[Int]] {
    switch choice {
    case .byToken(let experts, let k): experts.enumerated().map { [$0 / k, $1] }
    case .byExpert(let tokens):
      tokens.enumerated().flatMap { expert, row in row.map { [$0, expert] } }
    }
  }

  /// The number of tokens that each expert receives.
  public var load: ExpertLoad {
    switch choice {
    case .byExpert(let tokens): return ExpertLoad(tokens: tokens.map(\.count))
    case .byToken(let experts, _):
      var counts = [Int](repeating: 0, count: expertCount)
      for expert in experts { counts[expert] += 1 }
      return ExpertLoad(tokens: counts)
    }
  }
}
