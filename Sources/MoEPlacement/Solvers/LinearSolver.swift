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

extension PlacementMethod {
  /// ``LinearSolver``.
  public static let linear = PlacementMethod(
    "linear", help: "experts in order, as engines do without a plan"
  ) { _ in
    LinearSolver()
  }
}
