import MoECore
public import MoETensor

/// Assignments sorted by expert, so that each expert works on one contiguous slice.
///
///     sort → histogram → gather → each expert on its slice → weight → scatter-add
///
/// No capacity and no dropping: every assignment of the routing is carried out.
///
/// - SeeAlso: Gale et al. 2022, *MegaBlocks*, §4, [arXiv:2211.15841](https://arxiv.org/abs/2211.15841).
public struct Dispatch {
  /// Number of tokens.
  public let tokenCount: Int
  /// Assignments per expert.
  public let counts: [Int]
  /// The token of each assignment, i64, shape `[assignments]`, one expert's after another's.
  public let tokens: Tensor
  /// The weight of each assignment, shape `[assignments]`, in the same order, differentiable.
  public let weights: Tensor

  /// Sorts the assignments of a routing; those of one expert keep the order of their tokens.
  ///
  /// - Complexity: O(assignments + experts).
  public init(_ routing: Routing) {
    tokenCount = routing.tokenCount
    counts = routing.load.tokens
    let device = routing.weights.device
    switch routing.choice {
    case .byExpert(let chosen):
      tokens = Tensor(chosen.flatMap(\.self)).moved(to: device)
      weights = routing.weights
    case .byToken(let experts, let k):
      let order = Self.sorted(experts, counts: counts)
      tokens = Tensor(order.map { $0 / max(1, k) }).moved(to: device)
      weights = routing.weights.reshaped([-1]).selecting(Tensor(order).moved(to: device))
    }
  }

  /// Places of the assignments in the order of their experts: a counting sort, which is stable.
  private static func sorted(_ experts: [Int], counts: [Int]) -> [Int] {
    var next: [Int] = []
    var start = 0
    for count in counts {
      next.append(start)
      start += count
    }
    var order = [Int](repeating: 0, count: experts.count)
    for (place, expert) in experts.enumerated() {
      order[next[expert]] = place
      next[expert] += 1
    }
    return order
  }

  /// The tokens' rows in the order of the assignments.
  ///
  /// - Parameter x: Shape `[tokens, width]`.
  /// - Returns: Shape `[assignments, width]`.
  public func gather(_ x: Tensor) -> Tensor { x.selecting(tokens) }

  /// Weights the experts' answers and adds them up per token.
  ///
  /// - Parameter answers: Shape `[assignments, width]`, in the order of the assignments.
  /// - Returns: Shape `[tokens, width]`; zeros for tokens without an expert.
  public func combine(_ answers: Tensor) -> Tensor {
    let weighted = answers * weights.cast(to: answers.dtype).expandingAxis(1)
    let zeros = Tensor.zeros(
      [tokenCount, answers.size(1)], dtype: answers.dtype, on: answers.device)
    return zeros.adding(weighted, at: tokens)
  }

  /// The same for one token, which needs neither gathering nor scattering.
  private func single(_ x: Tensor, _ busy: [Int], _ expert: (Int, Tensor) -> Tensor) -> Tensor {
    let answers = Tensor.concatenated(busy.map { expert($0, x) }, axis: 0)  // [experts, width]
    return weights.cast(to: answers.dtype).expandingAxis(0).matmul(answers)  // [1, width]
  }

  /// Runs every expert on its slice and combines the answers.
  ///
  /// - Parameters:
  ///   - x: Shape `[tokens, width]`.
  ///   - expert: Answers for the rows of one expert, `[rows, width] → [rows, width]`; called in the order of
  ///     the experts, only for those with rows.
  /// - Returns: Shape `[tokens, width]`.
  public func run(_ x: Tensor, expert: (_ expert: Int, _ rows: Tensor) -> Tensor) -> Tensor {
    let busy = counts.indices.filter { counts[$0] > 0 }
    guard !busy.isEmpty else { return Tensor.zeros(x.shape, dtype: x.dtype, on: x.device) }
    if tokenCount == 1 { return single(x, busy, expert) }
    let slices = gather(x).split(sizes: busy.map { counts[$0] }, axis: 0)
    let answers = zip(busy, slices).map { expert($0, $1) }
    return combine(answers.count == 1 ? answers[0] : Tensor.concatenated(answers, axis: 0))
  }
}
