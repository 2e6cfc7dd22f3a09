/// A way to answer a ``PlacementProblem``.
public protocol PlacementSolver: Sendable {
  /// Name of the method, as the command line spells it.
  var name: String { get }

  /// Finds a plan.
  ///
  /// The same problem and settings give the same plan, unless a time limit cuts the search short.
  ///
  /// - Throws: ``PlacementError``.
  func solve(_ problem: PlacementProblem) throws(PlacementError) -> PlacementAnswer
}

/// A plan, how good it is, and how good any plan can be.
public struct PlacementAnswer: Sendable {
  /// The method that found the plan.
  public let method: String
  /// The plan; legal for the problem.
  public let plan: PlacementPlan
  /// What the plan does to the problem's tokens.
  public let evaluation: PlacementEvaluation
  /// No plan has an objective above this.
  public let bound: Double
  /// Whether the plan was proved best.
  public let isOptimal: Bool
  /// Seconds from the problem to the plan; the bound is not counted.
  public let seconds: Double

  /// How far the plan can be from the best, as a share of the bound; 0 when it is proved best.
  public var gap: Double {
    bound > 0 ? max(0, (bound - evaluation.objective) / bound) : 0
  }

  /// Judges a plan that was just found.
  ///
  /// `known` is a bound of the solver's own; the smaller of it and ``PlacementBound`` counts.
  init(
    _ method: String, _ plan: PlacementPlan, of problem: PlacementProblem,
    since start: ContinuousClock.Instant, known: Double = .infinity, isOptimal: Bool = false
  ) throws(PlacementError) {
    let seconds = (ContinuousClock.now - start) / .seconds(1)
    let evaluation = try PlacementEvaluation(plan, of: problem)
    if let limit = problem.balanceLimit,
      let worst = evaluation.balance.indices.max(by: {
        evaluation.balance[$0] < evaluation.balance[$1]
      }), evaluation.balance[worst] > limit * (1 + 1e-9)
    {
      throw .balanceNotReached(
        limit: limit, layer: problem.layerIDs[worst], best: evaluation.balance[worst])
    }
    (self.method, self.plan, self.evaluation, self.seconds) = (method, plan, evaluation, seconds)
    self.isOptimal = isOptimal
    bound = isOptimal ? evaluation.objective : min(known, PlacementBound(problem).objective)
  }
}

extension PlacementProblem {
  /// The plan of items' places.
  func plan(_ places: [[Int]], of partition: Partition) -> PlacementPlan {
    PlacementPlan(
      self,
      expertsOfRanks: places.enumerated().map { layer, row in
        var ranks = [[Int]](repeating: [], count: topology.ranks)
        for (item, column) in row.enumerated() {
          ranks[column].append(partition.experts[layer][item])
        }
        return ranks
      })
  }

  /// How many slots each expert gets, `[layers][experts]`: busy experts get replicas, at most one per rank.
  func copies() -> [[Int]] {
    loads.map { row in
      var copies = [Int](repeating: 1, count: experts)
      for _ in 0..<replicas {
        var busiest = -1
        for expert in 0..<experts where copies[expert] < topology.ranks {
          if busiest < 0
            || row[expert] / Double(copies[expert]) > row[busiest] / Double(copies[busiest])
          {
            busiest = expert
          }
        }
        copies[busiest] += 1
      }
      return copies
    }
  }

  /// The problem as solvers see it.
  func partition() -> Partition { Partition(self, copies: copies()) }
}
