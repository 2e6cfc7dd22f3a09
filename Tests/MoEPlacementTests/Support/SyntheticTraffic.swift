import MoECore
import MoEPlacement

/// Tokens that walk from layer to layer by Markov chains of random preferences.
struct SyntheticTraffic {
  /// Expert of each token in each layer, `[tokens][layers]`.
  let paths: [[Int]]
  let experts: Int

  /// `affinity` is the fraction of steps that go to one of two preferred successors; the rest is
  /// random.
  init(
    layers: Int, experts: Int, tokens: Int = 1000, affinity: Double = 0.6, seed: UInt64
  ) {
    var generator = SeededGenerator(seed: seed)
    let preferred = (0..<layers).map { _ in
      (0..<2).map { _ in (0..<experts).map { _ in Int.random(in: 0..<experts, using: &generator) } }
    }
    self.experts = experts
    paths = (0..<tokens).map { _ in
      var path = [Int.random(in: 0..<experts, using: &generator)]
      for layer in 1..<layers {
        let isFollowed = Double.random(in: 0..<1, using: &generator) < affinity
        let choice = Int.random(in: 0..<2, using: &generator)
        path.append(
          isFollowed
            ? preferred[layer][choice][path[layer - 1]]
            : Int.random(in: 0..<experts, using: &generator))
      }
      return path
    }
  }

  var layers: Int { paths[0].count }

  var loads: [[Double]] {
    (0..<layers).map { layer in
      var row = [Double](repeating: 0, count: experts)
      for path in paths { row[path[layer]] += 1 }
      return row
    }
  }

  var transitions: [[Double]] {
    (0..<layers - 1).map { layer in
      var table = [Double](repeating: 0, count: experts * experts)
      for path in paths { table[path[layer] * experts + path[layer + 1]] += 1 }
      return table
    }
  }

  func problem(
    nodes: Int = 1, ranks: Int, costBetweenNodes: Double? = nil, replicas: Int = 0,
    balanceLimit: Double? = nil, imbalanceWeight: Double = 0
  ) throws -> PlacementProblem {
    try PlacementProblem(
      loads: loads, transitions: transitions,
      topology: PlacementTopology(
        nodes: nodes, ranksPerNode: ranks / nodes, costBetweenNodes: costBetweenNodes),
      replicas: replicas, balanceLimit: balanceLimit, imbalanceWeight: imbalanceWeight)
  }
}

/// The objective of the best of all plans, tried one by one.
func bestByTryingAll(_ problem: PlacementProblem) throws -> Double {
  let layer = balancedRows(experts: problem.experts, ranks: problem.topology.ranks)
  var best = -Double.infinity
  func extend(_ rows: [[Int]]) throws {
    guard rows.count < problem.layers else {
      let plan = PlacementPlan(
        layerIDs: problem.layerIDs, experts: problem.experts, ranks: problem.topology.ranks,
        nodes: problem.topology.nodes, slots: rows)
      let found = try PlacementEvaluation(plan, of: problem)
      let worst = problem.balanceLimit.map { found.worstBalance <= $0 * (1 + 1e-12) } ?? true
      if worst { best = max(best, found.objective) }
      return
    }
    for row in layer { try extend(rows + [row]) }
  }
  try extend([])
  return best
}

/// All ways to fill ranks with experts, in ascending order within each rank.
func balancedRows(experts: Int, ranks: Int) -> [[Int]] {
  var result: [[Int]] = []
  func extend(_ rankOf: [Int]) {
    guard rankOf.count < experts else {
      result.append((0..<ranks).flatMap { rank in (0..<experts).filter { rankOf[$0] == rank } })
      return
    }
    for rank in 0..<ranks where rankOf.count(where: { $0 == rank }) < experts / ranks {
      extend(rankOf + [rank])
    }
  }
  extend([])
  return result
}
