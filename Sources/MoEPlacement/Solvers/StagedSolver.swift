/// Nodes first, then the ranks within each node, as in the paper: transfers between nodes are
/// avoided at any cost.
///
/// - SeeAlso: Yao et al. 2024, section IV, [arXiv:2401.08383](https://arxiv.org/abs/2401.08383).
public struct StagedSolver: PlacementSolver {
  /// `staged`.
  public let name = "staged"
  /// The seed of the random numbers.
  public var seed: UInt64
  /// The time limit of each stage, in seconds.
  public var timeLimit: Double

  /// Creates the solver.
  public init(seed: UInt64 = 0, timeLimit: Double = .infinity) {
    (self.seed, self.timeLimit) = (seed, timeLimit)
  }

  /// Solves the stages.
  public func search(_ problem: PlacementProblem) throws(PlacementError) -> PlacementFinding {
    try problem.refuseLimits(method: name)
    let start = ContinuousClock.now
    let partition = problem.partition()
    let topology = problem.topology
    let places = BisectionSolver(seed: seed, timeLimit: timeLimit)
      .divide(partition, topology.ranks, slots: problem.slotsPerRank) { count in
        // All ranks are split into nodes, then each node into its ranks.
        count == topology.ranks && topology.nodes > 1
          ? Array(repeating: topology.ranksPerNode, count: topology.nodes)
          : Array(repeating: 1, count: count)
      }
    return try PlacementFinding(
      name, problem.plan(places, of: partition), of: problem, since: start)
  }
}

extension PlacementMethod {
  /// ``StagedSolver``.
  public static let staged = PlacementMethod(
    "staged", help: "nodes first, then the ranks of each node, as the ExFlow paper does"
  ) { settings in
    StagedSolver(seed: settings.seed, timeLimit: settings.limit)
  }
}
