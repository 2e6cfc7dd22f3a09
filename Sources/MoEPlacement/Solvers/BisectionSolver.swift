/// Bisects the ranks recursively, as the released ExFlow solver does by default: experts are first
/// divided between two halves of all ranks, then within each half.
///
/// Each bisection is solved like ``SweepSolver``'s problem, so every level is nearly optimal, but
/// losses between levels are not recovered.
///
/// - SeeAlso: `solve_affinity.py` of [YJHMITWEB/ExFlow](https://github.com/YJHMITWEB/ExFlow).
public struct BisectionSolver: PlacementSolver {
  /// `bisection`.
  public let name = "bisection"
  /// The seed of the random numbers.
  public var seed: UInt64
  /// The time limit of each bisection, in seconds.
  public var timeLimit: Double

  /// Creates the solver.
  public init(seed: UInt64 = 0, timeLimit: Double = .infinity) {
    (self.seed, self.timeLimit) = (seed, timeLimit)
  }

  /// Bisects the ranks.
  public func search(_ problem: PlacementProblem) throws(PlacementError) -> PlacementFinding {
    try problem.refuseLimits(method: name)
    let start = ContinuousClock.now
    let partition = problem.partition()
    let places = divide(partition, problem.topology.ranks, slots: problem.slotsPerRank) { count in
      [count / 2, count - count / 2]
    }
    return try PlacementFinding(
      name, problem.plan(places, of: partition), of: problem, since: start)
  }

  /// The places of items when the ranks are split by `shares` until each is alone.
  func divide(
    _ partition: Partition, _ ranks: Int, slots: Int, shares: (Int) -> [Int]
  ) -> [[Int]] {
    guard ranks > 1 else {
      return Array(repeating: Array(repeating: 0, count: partition.items), count: partition.layers)
    }
    let parts = shares(ranks)
    let all = (0..<partition.layers).map { _ in Array(0..<partition.items) }
    let level = partition.part(all, capacity: parts.map { $0 * slots })
    let places = SweepSolver(seed: seed, timeLimit: timeLimit).search(level)
    var result = places
    var first = 0
    for (column, count) in parts.enumerated() {
      let chosen = places.map { row in row.indices.filter { row[$0] == column } }
      let inner = divide(
        partition.part(chosen, capacity: [count * slots]), count, slots: slots, shares: shares)
      for layer in 0..<partition.layers {
        for (item, rank) in zip(chosen[layer], inner[layer]) { result[layer][item] = first + rank }
      }
      first += count
    }
    return result
  }
}

extension PlacementMethod {
  /// ``BisectionSolver``.
  public static let bisection = PlacementMethod(
    "bisection", help: "halves the ranks again and again, as the ExFlow program does"
  ) { settings in
    BisectionSolver(seed: settings.seed, timeLimit: settings.limit)
  }
}
