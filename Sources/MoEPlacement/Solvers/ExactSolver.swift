/// Finds the optimal plan by dynamic programming over the balanced assignments of a layer.
///
/// The objective is a sum over neighbouring layers, so the best plan up to a layer depends on that
/// layer alone. Ranks of a node, and nodes, are interchangeable, so only one assignment of each
/// equivalence class is followed; the names that suit the next layer best are found on the way.
///
/// With 8 experts there are 35 classes of 70 assignments on 2 ranks, and 105 of 2,520 on 4.
public struct ExactSolver: PlacementSolver {
  /// `exact`.
  public let name = "exact"
  /// The most steps (layers × classes × assignments).
  public var stepLimit: Double

  /// The most assignments of one layer that are stored.
  static let stateLimit = 2_000_000.0
  /// The number of steps that take about a minute.
  public static let defaultStepLimit = 3e10

  /// Creates the solver.
  public init(stepLimit: Double = Self.defaultStepLimit) { self.stepLimit = stepLimit }

  /// Whether a problem is small enough.
  func fits(_ problem: PlacementProblem) -> Bool {
    problem.replicas == 0 && Self.states(problem) <= Self.stateLimit
      && Self.steps(problem) <= stepLimit && Self.tableSize(problem) <= 1 << 20
  }

  /// Finds the optimal plan.
  public func search(_ problem: PlacementProblem) throws(PlacementError) -> PlacementFinding {
    guard problem.replicas == 0 else {
      throw .unsupported(method: name, feature: "replicas", instead: "sweep or auto")
    }
    guard fits(problem) else {
      throw .tooLarge(
        method: name,
        size:
          "\(problem.layers) layers of \(problem.experts) experts on \(problem.topology.ranks) ranks, with \(Self.states(problem)) assignments per layer",
        bound: "\(Self.stateLimit) assignments per layer and \(stepLimit) steps")
    }
    let start = ContinuousClock.now
    let partition = problem.partition()
    guard let places = AssignmentProgram(partition, problem.topology).best() else {
      // Every assignment of some layer violates the balance limit, which proves infeasibility.
      let layer = (0..<problem.layers).first {
        AssignmentProgram(partition, problem.topology).isImpossible(layer: $0)
      }
      throw .impossibleBalance(
        limit: problem.balanceLimit ?? 1, layer: problem.layerIDs[layer ?? 0],
        lowest: problem.balanceLimit ?? 1)
    }
    return try PlacementFinding(
      name, problem.plan(places, of: partition), of: problem, since: start, isOptimal: true)
  }

  /// The number of balanced assignments of a layer: `experts! / (slots!)^ranks`.
  static func states(_ problem: PlacementProblem) -> Double {
    var (result, placed) = (1.0, 0)
    for _ in 0..<problem.topology.ranks {
      for slot in 1...problem.slotsPerRank {
        placed += 1
        result *= Double(placed) / Double(slot)
      }
      if result > 1e300 { return result }
    }
    return result.rounded()
  }

  private static func steps(_ problem: PlacementProblem) -> Double {
    let topology = problem.topology
    var names = 1.0
    for _ in 0..<topology.nodes { names *= factorial(topology.ranksPerNode) }
    names *= factorial(topology.nodes)
    if topology.valueOfNode == 0 { names = factorial(topology.ranks) }
    let states = states(problem)
    return Double(problem.layers) * states * max(1, states / names)
  }

  private static func tableSize(_ problem: PlacementProblem) -> Int {
    var size = 1
    for _ in 0..<(problem.experts + 1) / 2 where size <= 1 << 20 { size *= problem.topology.ranks }
    return size
  }

  private static func factorial(_ n: Int) -> Double {
    (1...max(1, n)).reduce(1) { $0 * Double($1) }
  }
}

extension PlacementMethod {
  /// ``ExactSolver``.
  public static let exact = PlacementMethod(
    "exact", help: "the best plan, by a dynamic program; for few experts"
  ) { _ in
    ExactSolver()
  }
}
