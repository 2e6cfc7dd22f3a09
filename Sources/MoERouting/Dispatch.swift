import MoECore
public import MoETensor

/// Assignments sorted by expert, so that each expert works on one contiguous slice.
///
///     sort → histogram → gather → each expert on its slice → weight → scatter-add
///
/// There is no capacity limit and no token dropping: every assignment is executed.
///
/// - SeeAlso: Gale et al. 2022, *MegaBlocks*, §4,
///   [arXiv:2211.15841](https://arxiv.org/abs/2211.15841).
public struct Dispatch {
  /// Number of tokens.
  public let tokenCount: Int
  /// Assignments per expert.
  public let counts: [Int]
  /// The token of each assignment, expert by expert.
  package let rows: [Int32]
  /// For each choice, in the order of the routing's weights, its index among the assignments.
  private let places: [Int32]
  private let routing: Routing

  /// Sorts the assignments of a routing; those of one expert keep the order of their tokens.
  ///
  /// - Complexity: O(assignments + experts).
  public init(_ routing: Routing) {
    self.routing = routing
    tokenCount = routing.tokenCount
    counts = routing.load.tokens
    switch routing.choice {
    case .byExpert(let chosen):
      rows = chosen.flatMap { $0.map(Int32.init) }
      places = rows.indices.map(Int32.init)
    case .byToken(let experts, let k):
      (rows, places) = Self.sorted(experts, k: k, counts: counts)
    }
  }

  /// A counting sort, which is stable.
  private static func sorted(
    _ experts: [Int], k: Int, counts: [Int]
  ) -> (rows: [Int32], places: [Int32]) {
    var next: [Int] = []
    var start = 0
    for count in counts {
      next.append(start)
      start += count
    }
    var rows = [Int32](repeating: 0, count: experts.count)
    var places = rows
    for (choice, expert) in experts.enumerated() {
      let place = next[expert]
      rows[place] = Int32(choice / max(1, k))
      places[choice] = Int32(place)
      next[expert] = place + 1
    }
    return (rows, places)
  }

  /// The token of each assignment, expert by expert, i64, shape `[assignments]`.
  public var tokens: Tensor { Tensor(rows.map(Int.init)).moved(to: routing.weights.device) }

  /// The weight of each assignment, shape `[assignments]`, in the same order, differentiable.
  public var weights: Tensor {
    guard case .byToken = routing.choice else { return routing.weights }
    var order = [Int](repeating: 0, count: places.count)
    for (choice, place) in places.enumerated() { order[Int(place)] = choice }
    return routing.weights.reshaped([-1]).selecting(
      Tensor(order).moved(to: routing.weights.device))
  }

  /// The tokens' rows in the order of the assignments.
  ///
  /// - Parameter x: Shape `[tokens, width]`.
  /// - Returns: Shape `[assignments, width]`.
  public func gather(_ x: Tensor) -> Tensor { x.selecting(tokens) }

  /// Weights the experts' outputs and sums them per token, in the order of the token's own list.
  ///
  /// - Parameter answers: Shape `[assignments, width]`, in the order of the assignments.
  /// - Returns: Shape `[tokens, width]`; zeros for tokens without an expert.
  public func combine(_ answers: Tensor) -> Tensor {
    let weighted = answers * weights.cast(to: answers.dtype).expandingAxis(1)
    if case .byToken(_, let k) = routing.choice, !places.isEmpty {
      // The order of the experts' numbers would tell a token's sum from that of the kernels.
      let slots = (0..<k).map { slot in
        let chosen = stride(from: slot, to: places.count, by: k).map { Int(places[$0]) }
        return weighted.selecting(Tensor(chosen).moved(to: answers.device))
      }
      return slots.dropFirst().reduce(slots[0], +)
    }
    let zeros = Tensor.zeros(
      [tokenCount, answers.size(1)], dtype: answers.dtype, on: answers.device)
    return zeros.adding(weighted, at: tokens)
  }

  /// Runs every expert on its slice and combines the outputs.
  ///
  /// - Parameters:
  ///   - x: Shape `[tokens, width]`.
  ///   - expert: Computes the outputs for the rows of one expert, `[rows, width] → [rows, width]`;
  ///     called in the order of the experts, only for those with rows.
  /// - Returns: Shape `[tokens, width]`.
  public func run(_ x: Tensor, expert: (_ expert: Int, _ rows: Tensor) -> Tensor) -> Tensor {
    let busy = counts.indices.filter { counts[$0] > 0 }
    guard !busy.isEmpty else { return Tensor.zeros(x.shape, dtype: x.dtype, on: x.device) }
    let slices = gather(x).split(sizes: busy.map { counts[$0] }, axis: 0)
    let answers = zip(busy, slices).map { expert($0, $1) }
    return combine(answers.count == 1 ? answers[0] : Tensor.concatenated(answers, axis: 0))
  }

  /// Runs experts that fetch their own inputs and combines the outputs.
  ///
  /// For experts that read different inputs.
  ///
  /// - Parameters:
  ///   - answerWidth: The width of an output.
  ///   - expert: Computes the outputs for tokens, `[tokens.count, answerWidth]`; called in the
  ///     order of the experts, only for those with tokens.
  /// - Returns: Shape `[tokens, answerWidth]`.
  public func run(answerWidth: Int, expert: (_ expert: Int, _ tokens: [Int]) -> Tensor) -> Tensor {
    var (answers, start) = ([Tensor](), 0)
    for (number, count) in counts.enumerated() where count > 0 {
      let tokens = rows[start..<start + count].map { Int($0) }
      answers.append(expert(number, tokens))
      require(
        answers[answers.count - 1].shape == [count, answerWidth],
        "answers of \(answers[answers.count - 1].shape) for \(count) tokens of width \(answerWidth)"
      )
      start += count
    }
    guard let first = answers.first else {
      return Tensor.zeros([tokenCount, answerWidth], on: routing.weights.device)
    }
    return combine(answers.count == 1 ? first : Tensor.concatenated(answers, axis: 0))
  }

  /// The assignments of each token.
  package struct ByToken {
    /// Token t has `places[starts[t]..<starts[t + 1]]`.
    package var starts: [Int32]
    /// Indices among the sorted assignments.
    package var places: [Int32]
    /// The weights in the order of `places`, shape `[assignments]`.
    package var weights: Tensor
  }

  /// The assignments sorted by token.
  package var byToken: ByToken {
    switch routing.choice {
    case .byToken(_, let k):
      return ByToken(
        starts: (0...tokenCount).map { Int32($0 * k) }, places: places,
        weights: routing.weights.reshaped([-1]))
    case .byExpert:
      var counts = [Int](repeating: 0, count: tokenCount)
      for row in rows { counts[Int(row)] += 1 }
      let sorted = Self.sorted(rows.map(Int.init), k: 1, counts: counts)
      let starts = counts.reduce(into: [0 as Int32]) { $0.append($0[$0.count - 1] + Int32($1)) }
      // A stable sort of the indices by token: the `rows` of that sort are the assignments
      // themselves.
      return ByToken(
        starts: starts, places: sorted.rows,
        weights: routing.weights.selecting(
          Tensor(sorted.rows.map(Int.init)).moved(to: routing.weights.device)))
    }
  }
}
