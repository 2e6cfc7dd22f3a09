import MoECore

/// Experts in order, the same number on each rank: what engines do without a plan, and the baseline
/// of every comparison.
public struct LinearSolver: PlacementSolver {
  /// `linear`.
  public let name = "linear"
  /// Creates the solver.
  public init() {}

  /// Fills the ranks in order.
  public func search(_ problem: PlacementProblem) throws(PlacementError) -> PlacementFinding {
    let start = ContinuousClock.now
    let partition = problem.partition()
    let places = (0..<problem.layers).map { partition.contiguous(layer: $0) }
    return try PlacementFinding(
      name, problem.plan(places, of: partition), of: problem, since: start)
  }
}

/// Experts in random order, as a baseline.
public struct RandomSolver: PlacementSolver {
  /// `random`.
  public let name = "random"
  /// The seed of the random numbers.
  public var seed: UInt64

  /// Creates the solver.
  public init(seed: UInt64 = 0) { self.seed = seed }

  /// Shuffles every layer.
  public func search(_ problem: PlacementProblem) throws(PlacementError) -> PlacementFinding {
    let start = ContinuousClock.now
    var generator = SeededGenerator(seed: seed)
    let partition = problem.partition()
    let places = (0..<problem.layers).map { partition.shuffled(layer: $0, using: &generator) }
    return try PlacementFinding(
      name, problem.plan(places, of: partition), of: problem, since: start)
  }
}
