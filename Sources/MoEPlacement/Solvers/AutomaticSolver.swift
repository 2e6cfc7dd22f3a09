/// Chooses the best method for the size: the exact one if it is fast, otherwise the sweep, plus
/// stages and bisection where they apply.
public struct AutomaticSolver: PlacementSolver {
  /// `auto`.
  public let name = "auto"
  /// The seed of the random numbers.
  public var seed: UInt64
  /// The time limit in seconds.
  public var timeLimit: Double

  /// The number of steps of the exact method that take about a second.
  static let exactSteps = 5e8

  /// Creates the solver.
  public init(seed: UInt64 = 0, timeLimit: Double = .infinity) {
    (self.seed, self.timeLimit) = (seed, timeLimit)
  }

  /// Chooses a method and solves.
  ///
  /// Of two plans with the same objective, the better balanced one is the better plan.
  public func search(_ problem: PlacementProblem) throws(PlacementError) -> PlacementFinding {
    let start = ContinuousClock.now
    let best = try fewestCrossings(problem)
    guard problem.balanceLimit == nil, best.evaluation.meanBalance > 1,
      let even = try? LoadBalanceSolver().search(problem),
      even.evaluation.objective >= best.evaluation.objective - 1e-9 * problem.totalTransitions,
      even.evaluation.meanBalance < best.evaluation.meanBalance
    else { return best }
    return try PlacementFinding(
      even.method, even.plan, of: problem, since: start, knownBound: best.knownBound,
      isOptimal: best.isOptimal && even.evaluation.objective >= best.evaluation.objective)
  }

  private func fewestCrossings(
    _ problem: PlacementProblem
  ) throws(PlacementError) -> PlacementFinding {
    let exact = ExactSolver(stepLimit: Self.exactSteps)
    if exact.fits(problem) { return try exact.search(problem) }
    let start = ContinuousClock.now
    var best = try SweepSolver(seed: seed, timeLimit: timeLimit).search(problem)
    guard problem.replicas == 0, problem.topology.valueOfNode > 0, problem.balanceLimit == nil,
      problem.imbalanceWeight == 0, !Deadline(seconds: timeLimit - best.seconds).isOver
    else { return best }
    let staged = try StagedSolver(seed: seed, timeLimit: timeLimit).search(problem)
    if staged.evaluation.objective > best.evaluation.objective { best = staged }
    return try PlacementFinding(best.method, best.plan, of: problem, since: start)
  }
}

extension PlacementMethod {
  /// ``AutomaticSolver``.
  public static let auto = PlacementMethod(
    "auto", help: "the best method for the size of the problem"
  ) { settings in
    AutomaticSolver(seed: settings.seed, timeLimit: settings.limit)
  }
}
