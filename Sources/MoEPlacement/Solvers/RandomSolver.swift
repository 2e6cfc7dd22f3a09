import MoECore

/// Experts in random order: what an arbitrary plan would keep.
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

extension PlacementMethod {
  /// ``RandomSolver``.
  public static let random = PlacementMethod(
    "random", help: "experts in random order"
  ) { settings in
    RandomSolver(seed: settings.seed)
  }
}
