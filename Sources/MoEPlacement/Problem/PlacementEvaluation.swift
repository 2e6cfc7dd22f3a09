/// The effect of a plan on the tokens of a problem.
///
/// If experts have replicas, tokens are divided evenly among them and stay on their rank as often
/// as that allows: of the tokens from expert `i`, with copies on the ranks `A`, to expert `p`, with
/// copies on `B`, the fraction `Σ_r min([r ∈ A] / |A|, [r ∈ B] / |B|)` stays on its rank. No policy
/// that divides evenly keeps more, and this one does not depend on earlier layers, so the sum over
/// counts is the expected sum over tokens.
public struct PlacementEvaluation: Hashable, Codable, Sendable {
  /// All transitions.
  public let transitions: Double
  /// Transitions that stay on their rank.
  public let sameRank: Double
  /// Transitions that change the rank, but not the node.
  public let sameNode: Double
  /// Transitions that change the node.
  public let otherNode: Double
  /// Transitions weighted by value: 1 on the same rank, a fraction within a node.
  public let kept: Double
  /// The cost of all transfers, in the topology's units.
  public let cost: Double
  /// The objective, to be maximised.
  public let objective: Double
  /// Largest load of a rank over the mean, per layer; 1 for layers without tokens.
  public let balance: [Double]

  /// The fraction of transitions that change the rank; 0 if there are none.
  public var crossingShare: Double { transitions > 0 ? 1 - sameRank / transitions : 0 }
  /// The mean over the layers of ``balance``.
  public var meanBalance: Double { balance.reduce(0, +) / Double(max(1, balance.count)) }
  /// The worst layer's ``balance``.
  public var worstBalance: Double { balance.max() ?? 1 }

  /// Evaluates a plan on a problem's counts.
  ///
  /// - Complexity: O(layers × experts²) without replicas; with them, times the square of the number
  ///   of copies.
  /// - Throws: ``PlacementError`` when the plan is not legal or its shape differs from the
  ///   problem's.
  public init(_ plan: PlacementPlan, of problem: PlacementProblem) throws(PlacementError) {
    try plan.validate(allowingWaste: true)
    guard plan.experts == problem.experts, plan.layerIDs == problem.layerIDs,
      plan.ranks == problem.topology.ranks
    else {
      throw .planMismatch(
        message:
          "the plan has \(plan.layers) layers of \(plan.experts) experts on \(plan.ranks) ranks, the problem \(problem.layers) layers of \(problem.experts) on \(problem.topology.ranks), or their layers have other numbers"
      )
    }
    let places = (0..<plan.layers).map { plan.ranksOfExperts(layer: $0) }
    var (onRank, inNode, total) = (0.0, 0.0, 0.0)
    for (layer, counts) in problem.transitions.enumerated() {
      let kept = Self.follow(counts, places[layer], places[layer + 1], problem.topology)
      onRank += kept.rank
      inNode += kept.node
      total += kept.total
      Self.checkIdentity(counts, places[layer], places[layer + 1], kept.rank, problem)
    }
    let value = problem.topology.valueOfNode
    (transitions, sameRank) = (total, onRank)
    (sameNode, otherNode) = (max(0, inNode - onRank), max(0, total - inNode))
    kept = (1 - value) * onRank + value * inNode
    cost = problem.topology.dearestWay * (total - kept)
    balance = places.indices.map {
      Self.balance(places[$0], problem.loads[$0], ranks: problem.topology.ranks)
    }
    let imbalance = balance.reduce(0) { $0 + $1 - 1 } / Double(balance.count)
    objective = kept - problem.imbalanceWeight * problem.imbalanceScale * imbalance
  }

  private static func follow(
    _ counts: [Double], _ from: [[Int]], _ to: [[Int]], _ topology: PlacementTopology
  ) -> (rank: Double, node: Double, total: Double) {
    if let single = followSingle(counts, from, to, topology) { return single }
    var (rank, node, total) = (0.0, 0.0, 0.0)
    for (i, left) in from.enumerated() {
      for (p, right) in to.enumerated() {
        let count = counts[i * to.count + p]
        guard count > 0 else { continue }
        total += count
        if left.count == 1, right.count == 1 {
          if left[0] == right[0] { rank += count }
          if topology.node(of: left[0]) == topology.node(of: right[0]) { node += count }
        } else {
          rank += count * shared(left, right)
          node += count * shared(left.map(topology.node), right.map(topology.node))
        }
      }
    }
    return (rank, node, total)
  }

  /// The same where every expert has one copy; `nil` otherwise.
  private static func followSingle(
    _ counts: [Double], _ from: [[Int]], _ to: [[Int]], _ topology: PlacementTopology
  ) -> (rank: Double, node: Double, total: Double)? {
    guard from.allSatisfy({ $0.count == 1 }), to.allSatisfy({ $0.count == 1 }) else { return nil }
    let (right, nodes) = (to.map { $0[0] }, to.map { topology.node(of: $0[0]) })
    var (rank, node, total) = (0.0, 0.0, 0.0)
    for (i, left) in from.enumerated() {
      let (place, itsNode) = (left[0], topology.node(of: left[0]))
      let start = i * right.count
      for p in right.indices {
        let count = counts[start + p]
        guard count > 0 else { continue }
        total += count
        if place == right[p] { rank += count }
        if itsNode == nodes[p] { node += count }
      }
    }
    return (rank, node, total)
  }

  /// The largest probability that two places, each drawn uniformly from its list, are equal.
  private static func shared(_ left: [Int], _ right: [Int]) -> Double {
    var result = 0.0
    for place in Set(left) {
      let a = Double(left.count { $0 == place }) / Double(left.count)
      let b = Double(right.count { $0 == place }) / Double(right.count)
      result += min(a, b)
    }
    return result
  }

  /// Checks that, without replicas, kept transitions are the trace of the ranks' transition table.
  private static func checkIdentity(
    _ counts: [Double], _ from: [[Int]], _ to: [[Int]], _ kept: Double, _ problem: PlacementProblem
  ) {
    guard from.allSatisfy({ $0.count == 1 }), to.allSatisfy({ $0.count == 1 }) else { return }
    let ranks = problem.topology.ranks
    var blocks = [Double](repeating: 0, count: ranks * ranks)
    let columns = to.map { $0[0] }
    for (i, left) in from.enumerated() {
      for p in columns.indices where counts[i * columns.count + p] > 0 {
        blocks[left[0] * ranks + columns[p]] += counts[i * columns.count + p]
      }
    }
    let total = blocks.reduce(0, +)
    let diagonal = (0..<ranks).reduce(0) { $0 + blocks[$1 * ranks + $1] }
    precondition(
      abs(diagonal - kept) <= 1e-9 * max(1, total), "kept \(kept), but the blocks say \(diagonal)")
  }

  /// The largest load of a rank over the mean, when tokens are divided evenly among replicas.
  static func balance(_ places: [[Int]], _ loads: [Double], ranks: Int) -> Double {
    var ofRank = [Double](repeating: 0, count: ranks)
    for (expert, copies) in places.enumerated() {
      for rank in copies { ofRank[rank] += loads[expert] / Double(copies.count) }
    }
    let mean = loads.reduce(0, +) / Double(ranks)
    return mean > 0 ? (ofRank.max() ?? 0) / mean : 1
  }
}
