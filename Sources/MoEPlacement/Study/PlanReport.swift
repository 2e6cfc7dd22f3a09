public import MoETracing

/// What an existing plan does to the tokens of a trace, or to loads: the report of `switchyard plan evaluate`.
public struct PlanReport: Codable, Hashable, Sendable {
  /// The number of tokens; `nil` if only loads are known.
  public let tokens: Int?
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
  /// The plan on the tokens; without transitions if only loads are known.
  public let plan: PlacementEvaluation
  /// The linear plan with as many slots on the same tokens.
  public let linear: PlacementEvaluation
  /// What the counts leave open, in sentences.
  public let remarks: [String]

  /// Evaluates a plan on all tokens.
  ///
  /// The plan may have more layers than the trace, such as dense ones, and more experts, of which the trace has not seen
  /// the last.
  ///
  /// - Parameters:
  ///   - plan: The plan; it may waste slots.
  ///   - source: A trace, or counts.
  ///   - costBetweenNodes: Cost of a transfer between nodes; one within a node costs 1.
  /// - Throws: ``PlacementError`` when the plan is not legal, or is for another model; a trace's error.
  public init(
    _ plan: PlacementPlan, on source: RoutingSource, costBetweenNodes: Double = 1
  ) throws {
    try plan.validate(allowingWaste: true)
    var counts =
      switch source {
      case .trace(let trace): try RoutingCounts(trace, tables: [.weightedTransitions])
      case .counts(let counts): counts
      }
    guard counts.expertCount <= plan.experts else {
      throw PlacementError.planMismatch(
        message:
          "the plan has \(plan.experts) experts per layer, the tokens chose from \(counts.expertCount)"
      )
    }
    let plan = try plan.restricted(to: counts.layers)
    counts.widen(to: plan.experts)
    let topology = try PlacementTopology(
      nodes: plan.nodes, ranksPerNode: plan.ranks / plan.nodes, costBetweenNodes: costBetweenNodes)
    let problem =
      counts.weightedTransitions == nil
      ? try PlacementProblem(loadsOf: counts, topology: topology, replicas: plan.replicas)
      : try PlacementProblem(counts, topology: topology, replicas: plan.replicas)
    self.plan = try PlacementEvaluation(plan, of: problem)
    linear = try PlacementEvaluation(LinearSolver().search(problem).plan, of: problem)
    (tokens, remarks) = (counts.tokenCount, counts.remarks)
    (layers, experts, replicas) = (plan.layers, plan.experts, plan.replicas)
    (ranks, nodes) = (plan.ranks, plan.nodes)
  }

  /// The fraction of the linear plan's crossings that the plan saves.
  public var saved: Double {
    linear.crossingShare > 0 ? 1 - plan.crossingShare / linear.crossingShare : 0
  }
}

extension PlacementPlan {
  /// The plan of some of its layers.
  ///
  /// - Throws: ``PlacementError/planMismatch(message:)`` for layers that it does not have.
  fileprivate func restricted(to layers: [Int]) throws(PlacementError) -> PlacementPlan {
    var rows: [[Int]] = []
    for layer in layers {
      guard let place = layerIDs.firstIndex(of: layer) else {
        throw .planMismatch(
          message:
            "the plan has no layer \(layer), whose experts the tokens chose; its layers are \(layerIDs.prefix(8).map(String.init).joined(separator: ", "))\(layerIDs.count > 8 ? ", …" : "")"
        )
      }
      rows.append(slots[place])
    }
    return PlacementPlan(
      layerIDs: layers, experts: experts, ranks: ranks, nodes: nodes, slots: rows)
  }
}

extension RoutingCounts {
  /// Adds experts that no token chose.
  fileprivate mutating func widen(to experts: Int) {
    let old = expertCount
    guard experts > old else { return }
    let more = [Int](repeating: 0, count: experts - old)
    loads = loads.map { $0 + more }
    weightedTransitions = weightedTransitions?.map { table in
      var wide = [Double](repeating: 0, count: experts * experts)
      for row in 0..<old {
        for column in 0..<old { wide[row * experts + column] = table[row * old + column] }
      }
      return wide
    }
    expertCount = experts
  }
}
