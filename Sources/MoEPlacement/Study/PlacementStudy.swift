import MoECore
public import MoETracing

extension PlacementProblem {
  /// Poses the question for what a trace's counts say.
  ///
  /// Loads are assignments. Transitions are pairs of a token's experts in neighbouring layers,
  /// weighted so that each
  /// token counts 1 per pair of layers.
  ///
  /// - Throws: ``PlacementError``; the counts must hold weighted transitions.
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

/// A trace in two parts: plans are made for the first and judged on the second.
///
/// A plan that is judged by the tokens it was made for looks better than it is. The cut lies
/// between sequences
/// where the trace has several.
public struct PlacementStudy {
  /// The trace.
  public let trace: RoutingTrace
  /// Tokens to solve on.
  public let fitted: Range<Int>
  /// Tokens to report on; the same as ``fitted`` when nothing is kept apart.
  public let judged: Range<Int>

  /// Most tokens of each part that the null hypothesis shuffles.
  static let nullTokens = 50_000

  /// Cuts a trace.
  ///
  /// - Parameters:
  ///   - trace: The trace.
  ///   - heldOut: Share of the tokens to report on, 0 to below 1; with 0, all tokens serve both
  ///     purposes.
  ///   - limit: The most tokens of each part to use, its first ones; `nil` for all.
  /// - Throws: ``PlacementError/invalidProblem(message:)`` when a part would be empty.
  public init(
    _ trace: RoutingTrace, heldOut: Double, limit: Int? = nil
  ) throws(PlacementError) {
    guard heldOut >= 0, heldOut < 1 else {
      throw .invalidProblem(message: "a share of \(heldOut) is kept apart; it must be in 0..<1")
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
    // A few long sequences may have no start near the wanted place.
    let place = abs(cut - wanted) * 10 <= count ? cut : wanted
    guard place > 0, place < count else {
      throw .invalidProblem(
        message: "\(count) tokens cannot be cut in two; give more, or keep nothing apart")
    }
    (fitted, judged) = (0..<min(place, limit), place..<min(count, place + limit))
  }

  /// Counts of a part.
  public func counts(_ range: Range<Int>) throws -> RoutingCounts {
    try RoutingCounts(trace, in: range, tables: [.weightedTransitions])
  }

  /// What a plan made of fewer tokens is worth on those kept apart.
  public struct ProfilePoint: Hashable, Codable, Sendable {
    /// Tokens that the plan was made of.
    public let tokens: Int
    /// Share of the judged transitions that change the rank.
    public let crossingShare: Double
  }

  /// Crossings of the judged tokens under plans made of more and more tokens: how many a profile
  /// needs (the
  /// paper's figure 13).
  ///
  /// - Parameters:
  ///   - problem: The problem of all fitted tokens; its balance limit, which few tokens may not be
  ///     able to keep, is not applied.
  ///   - target: The problem of the judged tokens.
  ///   - solver: Makes the plans.
  /// - Returns: Points of rising token counts, each about three times the one before; the last is
  ///   of all fitted tokens.
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

  /// The fewest tokens of a profile whose plan saves at least `share` of what the last one saves
  /// over `baseline`.
  public static func tokensNeeded(
    _ profile: [ProfilePoint], baseline: Double, share: Double = 0.97
  ) -> Int? {
    guard let last = profile.last, last.crossingShare < baseline else { return nil }
    let wanted = baseline - share * (baseline - last.crossingShare)
    return profile.first { $0.crossingShare <= wanted }?.tokens
  }

  /// Crossings when tokens of each layer are shuffled, so that nothing but the experts' popularity
  /// is left: the part
  /// of a saving that is no affinity between layers.
  ///
  /// - Parameters:
  ///   - problem: Topology and replicas.
  ///   - solver: Makes the plan from shuffled fitted tokens; shuffled judged tokens judge it.
  ///   - seed: Start of the random numbers.
  /// - Returns: Shares of transitions that change the rank, of the linear plan and of the solver's.
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
