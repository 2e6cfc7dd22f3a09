import MoECore
import MoEPlacement
import Testing

/// Sums of counts differ from one another by rounding only.
private let rounding = 1e-6

@Suite("Placement solvers")
struct PlacementSolverTests {
  // No time limit: a search that is cut short may give different results. The integer program has
  // one, which is far more than these problems need.
  static let settings = PlacementMethod.Settings(seed: 3)

  /// What holds for every answer.
  private func checkLaws(_ solver: any PlacementSolver, _ problem: PlacementProblem) throws {
    let answer = try solver.solve(problem)
    #expect(answer.plan.violations.isEmpty)
    #expect(try PlacementEvaluation(answer.plan, of: problem) == answer.evaluation)
    let found = answer.evaluation
    let slack = rounding * max(1, found.transitions)
    #expect(abs(found.sameRank + found.sameNode + found.otherNode - found.transitions) <= slack)
    #expect(found.objective <= answer.bound + slack)
    #expect(answer.gap >= 0 && answer.gap <= 1)
    #expect(found.balance.allSatisfy { $0 >= 1 - 1e-9 })
    #expect(try solver.solve(problem).plan == answer.plan)
  }

  @Test(
    "give legal plans, correct evaluations and valid bounds",
    arguments: PlacementMethods.registry.names)
  func laws(name: String) throws {
    let solver = try #require(PlacementMethods.registry[name]).solver(Self.settings)
    #expect(solver.name == name)
    try checkLaws(
      solver, SyntheticTraffic(layers: 4, experts: 6, tokens: 300, seed: 1).problem(ranks: 3))
    try checkLaws(
      solver, SyntheticTraffic(layers: 1, experts: 4, tokens: 30, seed: 2).problem(ranks: 2))
    try checkLaws(
      solver, SyntheticTraffic(layers: 3, experts: 4, tokens: 30, seed: 3).problem(ranks: 1))
    try checkLaws(
      solver, SyntheticTraffic(layers: 3, experts: 4, tokens: 50, seed: 4).problem(ranks: 4))
  }

  @Test("of replicas, nodes and loads keep the laws")
  func lawsWithFeatures() throws {
    let traffic = SyntheticTraffic(layers: 4, experts: 8, tokens: 400, seed: 5)
    let replicated = try traffic.problem(nodes: 2, ranks: 4, costBetweenNodes: 4, replicas: 4)
    for solver in [
      LinearSolver(), RandomSolver(), SweepSolver(), LoadBalanceSolver(), AutomaticSolver(),
    ]
      as [any PlacementSolver]
    {
      try checkLaws(solver, replicated)
    }
    let weighted = try traffic.problem(
      nodes: 2, ranks: 4, costBetweenNodes: 3, balanceLimit: 1.3, imbalanceWeight: 0.3)
    for solver in [SweepSolver(), ExactSolver(), AutomaticSolver()] as [any PlacementSolver] {
      try checkLaws(solver, weighted)
      #expect(try solver.solve(weighted).evaluation.worstBalance <= 1.3 + 1e-9)
    }
  }

  @Test("called exact find the plan that brute force finds", arguments: 0..<4)
  func exactMatchesSearch(seed: UInt64) throws {
    let traffic = SyntheticTraffic(layers: 3, experts: 4, tokens: 60, seed: seed)
    let four = SyntheticTraffic(layers: 2, experts: 4, tokens: 60, seed: seed)
    for problem in [
      try traffic.problem(ranks: 2), try traffic.problem(ranks: 4),
      try four.problem(nodes: 2, ranks: 4, costBetweenNodes: 3),
      try traffic.problem(ranks: 2, imbalanceWeight: 0.5),
      try traffic.problem(ranks: 2, balanceLimit: 1.35),
    ] {
      let best = try bestByTryingAll(problem)
      let answer = try ExactSolver().solve(problem)
      #expect(abs(answer.evaluation.objective - best) < rounding)
      #expect(answer.isOptimal && answer.bound == answer.evaluation.objective)
      #expect(PlacementBound(problem).objective >= best - rounding)
    }
  }

  @Test("called sweep come within 1 % of the exact ones", arguments: 0..<20)
  func sweepIsNearlyExact(seed: UInt64) throws {
    for (layers, experts, ranks) in [(5, 8, 2), (4, 8, 4), (5, 6, 3)] {
      let traffic = SyntheticTraffic(
        layers: layers, experts: experts, affinity: Double(seed % 5) / 5, seed: seed)
      let problem = try traffic.problem(ranks: ranks)
      let exact = try ExactSolver().solve(problem).evaluation.objective
      let sweep = try SweepSolver().solve(problem).evaluation.objective
      #expect(
        sweep >= 0.99 * exact && sweep <= exact + rounding,
        "\(layers) layers of \(experts) on \(ranks) ranks: \(sweep) of \(exact)")
      #expect(PlacementBound(problem).objective >= exact - rounding)
    }
  }

  @Test(
    "of integer programs agree with the exact one", arguments: IntegerProgramSolver.Form.allCases)
  func programsAgree(form: IntegerProgramSolver.Form) throws {
    let problem = try SyntheticTraffic(layers: 3, experts: 4, tokens: 40, seed: 8).problem(ranks: 2)
    let exact = try ExactSolver().solve(problem).evaluation.objective
    for warmStart in [false, true] {
      let answer = try IntegerProgramSolver(form: form, timeLimit: 20, warmStart: warmStart)
        .solve(problem)
      #expect(answer.isOptimal && abs(answer.evaluation.objective - exact) < rounding)
    }
  }

  @Test("keep everything when each expert has one successor")
  func perfectAffinity() throws {
    let experts = 6
    var table = [Double](repeating: 0, count: experts * experts)
    for i in 0..<experts { table[i * experts + (i * 5 + 1) % experts] = 10 }
    let problem = try PlacementProblem(
      loads: Array(repeating: Array(repeating: 10, count: experts), count: 5),
      transitions: Array(repeating: table, count: 4), topology: PlacementTopology(ranksPerNode: 3))
    for solver in [ExactSolver(), SweepSolver(), AutomaticSolver()] as [any PlacementSolver] {
      #expect(try solver.solve(problem).evaluation.crossingShare == 0)
    }
  }

  @Test("reject unsupported problems, and state their limit")
  func refusals() throws {
    let large = try SyntheticTraffic(layers: 2, experts: 32, tokens: 100, seed: 0).problem(ranks: 4)
    let error = #expect(throws: PlacementError.self) { try ExactSolver().solve(large) }
    #expect("\(error, default: "")".contains("its limit is"))
    let replicas = try SyntheticTraffic(layers: 2, experts: 4, seed: 0).problem(
      ranks: 2, replicas: 2)
    for solver in [ExactSolver(), BisectionSolver(), StagedSolver(), IntegerProgramSolver()]
      as [any PlacementSolver]
    {
      #expect(throws: PlacementError.self) { try solver.solve(replicas) }
    }
  }
}
