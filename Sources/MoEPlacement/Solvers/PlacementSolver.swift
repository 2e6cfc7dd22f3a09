/// A method that solves a ``PlacementProblem``.
public protocol PlacementSolver: Sendable {
  /// The name of the method, as options spell it.
  var name: String { get }

  /// Finds a plan.
  ///
  /// The same problem and settings give the same plan, unless a time limit cuts the search short.
  ///
  /// - Throws: ``PlacementError``.
  func search(_ problem: PlacementProblem) throws(PlacementError) -> PlacementFinding
}

extension PlacementSolver {
  /// Finds a plan and computes bounds for all plans.
  ///
  /// - Throws: ``PlacementError``.
  public func solve(_ problem: PlacementProblem) throws(PlacementError) -> PlacementAnswer {
    PlacementAnswer(try search(problem), PlacementBound(problem))
  }
}

/// A plan found by a search, and its evaluation.
public struct PlacementFinding: Sendable {
  /// The method that found the plan.
  public let method: String
  /// The plan; legal for the problem.
  public let plan: PlacementPlan
  /// The effect of the plan on the problem's tokens.
  public let evaluation: PlacementEvaluation
  /// A bound on the objective that the search found; infinite if it has none.
  public let knownBound: Double
  /// Whether the plan was proved optimal.
  public let isOptimal: Bool
  /// The duration of the search in seconds.
  public let seconds: Double

  /// Evaluates a plan that was just found.
  ///
  /// - Parameters:
  ///   - method: Name of the method.
  ///   - plan: The plan.
  ///   - problem: The problem that it solves.
  ///   - start: When the search started.
  ///   - knownBound: A bound on the objective that the search found; infinite if it has none.
  ///   - isOptimal: Whether the plan was proved optimal.
  /// - Throws: ``PlacementError`` for a plan that is not legal for the problem, or violates its
  ///   balance limit.
  public init(
    _ method: String, _ plan: PlacementPlan, of problem: PlacementProblem,
    since start: ContinuousClock.Instant, knownBound: Double = .infinity, isOptimal: Bool = false
  ) throws(PlacementError) {
    seconds = (ContinuousClock.now - start) / .seconds(1)
    let evaluation = try PlacementEvaluation(plan, of: problem)
    if let limit = problem.balanceLimit,
      let worst = evaluation.balance.indices.max(by: {
        evaluation.balance[$0] < evaluation.balance[$1]
      }), evaluation.balance[worst] > limit * (1 + 1e-9)
    {
      throw .balanceNotReached(
        limit: limit, layer: problem.layerIDs[worst], best: evaluation.balance[worst])
    }
    (self.method, self.plan, self.evaluation) = (method, plan, evaluation)
    self.isOptimal = isOptimal
    self.knownBound = isOptimal ? evaluation.objective : knownBound
  }
}

/// A plan, its evaluation, and bounds for all plans.
public struct PlacementAnswer: Sendable {
  /// The plan and its evaluation.
  public let finding: PlacementFinding
  /// The bounds of the problem, independent of the plan.
  public let bounds: PlacementBound

  /// Combines a plan with the bounds of its problem.
  public init(_ finding: PlacementFinding, _ bounds: PlacementBound) {
    (self.finding, self.bounds) = (finding, bounds)
  }

  /// The plan; legal for the problem.
  public var plan: PlacementPlan { finding.plan }
  /// The effect of the plan on the problem's tokens.
  public var evaluation: PlacementEvaluation { finding.evaluation }
  /// Whether the plan was proved optimal.
  public var isOptimal: Bool { finding.isOptimal }
  /// No plan has an objective above this.
  public var bound: Double { min(finding.knownBound, isOptimal ? .infinity : bounds.objective) }

  /// The largest possible distance from the optimum, as a fraction of the bound; 0 if the plan is
  /// proved optimal.
  public var gap: Double {
    bound > 0 ? max(0, (bound - evaluation.objective) / bound) : 0
  }
}

extension PlacementProblem {
  /// The plan for given places of items.
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

  /// The number of slots per expert, `[layers][experts]`: busy experts get replicas, at most one
  /// per rank.
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

  /// Rejects what methods that divide in stages do not support: loads and replicas.
  func refuseLimits(method: String) throws(PlacementError) {
    let feature =
      replicas > 0
      ? "replicas"
      : balanceLimit != nil
        ? "balance limits" : imbalanceWeight > 0 ? "a weight of imbalance" : nil
    if let feature {
      throw .unsupported(method: method, feature: feature, instead: "sweep or auto")
    }
  }

  /// The problem as solvers see it.
  func partition() -> Partition { Partition(self, copies: copies()) }
}
