import MoECore
public import MoETracing

/// The report of `switchyard place` on loads, of which it is not known where tokens go.
public struct BalanceReport: Codable, Hashable, Sendable {
  /// The method that made the plan.
  public let method: String
  /// The number of layers with experts.
  public let layers: Int
  /// The number of experts per layer.
  public let experts: Int
  /// Number of ranks.
  public let ranks: Int
  /// Number of nodes.
  public let nodes: Int
  /// The number of additional slots per layer.
  public let replicas: Int
  /// Largest load of a rank over the mean under the plan, per layer.
  public let balance: [Double]
  /// The same with experts placed by index.
  public let linearBalance: [Double]
  /// A lower bound of ``balance`` for any plan, per layer.
  public let lowestBalance: [Double]
  /// The duration of the search in seconds.
  public let seconds: Double
  /// What the counts leave open, in sentences.
  public let remarks: [String]

  /// The names of methods that need no more than loads.
  public static let methods = ["auto", "eplb", "linear", "random"]

  /// Balances loads.
  ///
  /// - Parameters:
  ///   - counts: The loads.
  ///   - problem: Their problem; see ``PlacementProblem/init(loadsOf:topology:replicas:balanceLimit:)``.
  ///   - method: One of ``methods``; `auto` balances.
  ///   - settings: Settings of the method.
  /// - Returns: The report and the plan.
  /// - Throws: ``PlacementError``, for methods that need transitions, too.
  public static func solving(
    _ counts: RoutingCounts, _ problem: PlacementProblem, method: PlacementMethod,
    settings: PlacementMethod.Settings = .init()
  ) throws -> (report: BalanceReport, plan: PlacementPlan) {
    guard methods.contains(method.name) else {
      throw PlacementError.unsupported(
        method: method.name, feature: "loads alone, which do not say where tokens go",
        instead: "eplb, or a trace")
    }
    let solver: any PlacementSolver =
      method.name == "auto" ? LoadBalanceSolver() : method.solver(settings)
    let finding = try solver.search(problem)
    let free = try problem.counting(loads: problem.loads, transitions: problem.transitions)
    let linear = try PlacementEvaluation(LinearSolver().search(free).plan, of: free)
    return (BalanceReport(finding, problem, linear, counts.remarks), finding.plan)
  }

  private init(
    _ finding: PlacementFinding, _ problem: PlacementProblem, _ linear: PlacementEvaluation,
    _ remarks: [String]
  ) {
    (method, layers, experts) = (finding.method, problem.layers, problem.experts)
    (ranks, nodes) = (problem.topology.ranks, problem.topology.nodes)
    (replicas, seconds, self.remarks) = (problem.replicas, finding.seconds, remarks)
    (balance, linearBalance) = (finding.evaluation.balance, linear.balance)
    lowestBalance = (0..<problem.layers).map { problem.lowestBalance(layer: $0) }
  }
}

extension PlacementProblem {
  /// Creates a problem of loads alone: nothing is known about transitions, so none is counted.
  ///
  /// - Throws: ``PlacementError``.
  public init(
    loadsOf counts: RoutingCounts, topology: PlacementTopology, replicas: Int = 0,
    balanceLimit: Double? = nil
  ) throws(PlacementError) {
    let experts = min(counts.expertCount, PlacementProblem.maximumExperts + 1)
    let none = [Double](repeating: 0, count: experts * experts)
    try self.init(
      layerIDs: counts.layers, loads: counts.loads.map { $0.map(Double.init) },
      transitions: Array(repeating: none, count: max(0, counts.loads.count - 1)),
      topology: topology, replicas: replicas, balanceLimit: balanceLimit)
  }
}
