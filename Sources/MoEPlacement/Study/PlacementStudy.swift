import MoECore
public import MoETracing

extension PlacementProblem {
  /// Creates a problem from the counts of a trace.
  ///
  /// Loads are numbers of assignments. Transitions are pairs of a token's experts in neighbouring
  /// layers, weighted so that each token counts 1 per pair of layers.
  ///
  /// - Throws: ``PlacementError``; the counts must include weighted transitions.
  public init(
    _ counts: RoutingCounts, topology: PlacementTopology, replicas: Int = 0,
    balanceLimit: Double? = nil, imbalanceWeight: Double = 0
  ) throws(PlacementError) {
    guard let transitions = counts.weightedTransitions else {
      throw .invalidProblem(message: "the counts hold loads, but no transitions between layers")
    }
    try self.init(
      layerIDs: counts.layers, loads: counts.loads.map { $0.map(Double.init) },
      transitions: transitions, topology: topology, replicas: replicas, balanceLimit: balanceLimit,
      imbalanceWeight: imbalanceWeight)
  }
}

/// A trace in two parts: plans are fitted to the first and evaluated on the second.
///
/// A plan that is evaluated on the tokens it was fitted to looks better than it is. If the trace
/// has several sequences, the cut is between two of them.
public struct PlacementStudy {
  /// The trace.
  public let trace: RoutingTrace
  /// The tokens that plans are fitted to.
  public let fitted: Range<Int>
  /// The tokens that plans are evaluated on; the same as ``fitted`` if nothing is held out.
  public let judged: Range<Int>

  /// The most tokens of each part that are shuffled for the null hypothesis.
  static let nullTokens = 50_000

  /// Splits a trace.
  ///
  /// - Parameters:
  ///   - trace: The trace.
  ///   - heldOut: The fraction of the tokens to evaluate on, in 0..<1; with 0, all tokens serve
  ///     both purposes.
  ///   - limit: The most tokens of each part to use, from its start; `nil` for all.
  /// - Throws: ``PlacementError/invalidProblem(message:)`` if a part would be empty.
  public init(
    _ trace: RoutingTrace, heldOut: Double, limit: Int? = nil
  ) throws(PlacementError) {
    guard heldOut >= 0, heldOut < 1 else {
      throw .invalidProblem(message: "a fraction of \(heldOut) is held out; it must be in 0..<1")
    }
    let count = trace.tokenCount
    guard count > 0 else { throw .invalidProblem(message: "the trace has no tokens") }
    self.trace = trace
    let limit = max(1, limit ?? count)
    guard heldOut > 0 else {
      (fitted, judged) = (0..<min(count, limit), 0..<min(count, limit))
      return
    }
    let wanted = Int((Double(count) * (1 - heldOut)).rounded())
    let starts = trace.sequenceStarts.filter { $0 > 0 && $0 < count }
    let cut = starts.min { abs($0 - wanted) < abs($1 - wanted) } ?? wanted
    // With a few long sequences, none may start near the desired position.
    let place = abs(cut - wanted) * 10 <= count ? cut : wanted
    guard place > 0, place < count else {
      throw .invalidProblem(
        message:
          "\(NumberText.counted(count, "token")) cannot be split in two; give more, or hold nothing out"
      )
    }
    (fitted, judged) = (0..<min(place, limit), place..<min(count, place + limit))
  }

  /// The counts of a part.
  public func counts(_ range: Range<Int>) throws -> RoutingCounts {
    try RoutingCounts(trace, in: range, tables: [.weightedTransitions])
  }

  /// The result of a plan fitted to fewer tokens on the held-out tokens.
  public struct ProfilePoint: Hashable, Codable, Sendable {
    /// The number of tokens that the plan was fitted to.
    public let tokens: Int
    /// The fraction of the judged transitions that change the rank.
    public let crossingShare: Double
  }

  /// Crossings of the judged tokens under plans fitted to increasing numbers of tokens: how many a
  /// profile needs (the paper's figure 13).
  ///
  /// - Parameters:
  ///   - problem: The problem of all fitted tokens; its balance limit, which may be infeasible for
  ///     few tokens, is not applied.
  ///   - target: The problem of the judged tokens.
  ///   - solver: Makes the plans.
  /// - Returns: Points with increasing token counts, each about three times the one before; the
  ///   last has all fitted tokens.
  /// - Throws: ``PlacementError``.
  public func profile(
    _ problem: PlacementProblem, judgedBy target: PlacementProblem, with solver: any PlacementSolver
  ) throws -> [ProfilePoint] {
    var sizes: [Int] = []
    var size = fitted.count
    while size >= 50, sizes.count < 5 {
      sizes.append(size)
      size /= 3
    }
    return try sizes.reversed().map { size in
      let counts = try counts(fitted.lowerBound..<fitted.lowerBound + size)
      let smaller = try PlacementProblem(
        counts, topology: problem.topology, replicas: problem.replicas,
        imbalanceWeight: problem.imbalanceWeight)
      let plan = try solver.search(smaller).plan
      return ProfilePoint(
        tokens: size, crossingShare: try PlacementEvaluation(plan, of: target).crossingShare)
    }
  }

  /// The fewest tokens of a profile whose plan saves at least the fraction `share` of what the last
  /// one saves over `baseline`.
  public static func tokensNeeded(
    _ profile: [ProfilePoint], baseline: Double, share: Double = 0.97
  ) -> Int? {
    guard let last = profile.last, last.crossingShare < baseline else { return nil }
    let wanted = baseline - share * (baseline - last.crossingShare)
    return profile.first { $0.crossingShare <= wanted }?.tokens
  }

  /// Crossings when the tokens of each layer are shuffled, so that only the experts' popularity is
  /// left: the part of a saving that is not due to affinity between layers.
  ///
  /// - Parameters:
  ///   - problem: Topology and replicas.
  ///   - solver: Makes the plan from shuffled fitted tokens; it is evaluated on shuffled judged
  ///     tokens.
  ///   - seed: The seed of the random numbers.
  /// - Returns: The fractions of transitions that change the rank under the linear plan and under
  ///   the solver's.
  /// - Throws: ``PlacementError``.
  public func null(
    _ problem: PlacementProblem, with solver: any PlacementSolver, seed: UInt64 = 0
  ) throws -> (linear: Double, solved: Double) {
    var generator = SeededGenerator(seed: seed)
    let first = try shuffled(fitted, problem, &generator)
    let second = fitted == judged ? first : try shuffled(judged, problem, &generator)
    let plan = try solver.search(first).plan
    let linear = try LinearSolver().search(first).plan
    return (
      try PlacementEvaluation(linear, of: second).crossingShare,
      try PlacementEvaluation(plan, of: second).crossingShare
    )
  }

  private func shuffled(
    _ range: Range<Int>, _ problem: PlacementProblem, _ generator: inout SeededGenerator
  ) throws -> PlacementProblem {
    let part = range.lowerBound..<min(range.upperBound, range.lowerBound + Self.nullTokens)
    let choices = try trace.experts(in: part)
    let (k, layers, experts) = (trace.header.k, problem.layers, problem.experts)
    var loads = [[Double]](repeating: Array(repeating: 0, count: experts), count: layers)
    var transitions = [[Double]](
      repeating: Array(repeating: 0, count: experts * experts), count: layers - 1)
    let sets = { (token: Int, layer: Int) -> [Int] in
      (0..<k).compactMap {
        let expert = choices[(token * layers + layer) * k + $0]
        return expert == .max ? nil : Int(expert)
      }
    }
    for layer in 0..<layers {
      let order = Array(0..<part.count).shuffled(using: &generator)
      for token in 0..<part.count {
        let here = sets(token, layer)
        for expert in here { loads[layer][expert] += 1 }
        guard layer + 1 < layers else { continue }
        let next = sets(order[token], layer + 1)
        let share = 1 / Double(max(1, here.count * next.count))
        for i in here { for p in next { transitions[layer][i * experts + p] += share } }
      }
    }
    return try problem.counting(loads: loads, transitions: transitions)
  }
}
