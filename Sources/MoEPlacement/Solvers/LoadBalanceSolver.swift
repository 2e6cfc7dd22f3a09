import MoECore

/// Balances only loads, as ``EPLB`` does, but never puts two copies of an expert on one rank, and
/// improves the result.
///
/// It starts from EPLB's packings, if no expert has more copies than there are ranks, and from its
/// own. Copies on the same rank are separated, and then the busiest rank exchanges experts with
/// others as long as the larger of the two loads decreases. Finally the ranks of each layer are
/// renamed, which does not affect balance, so that tokens stay on their rank as often as such plans
/// allow.
public struct LoadBalanceSolver: PlacementSolver {
  /// `eplb`.
  public let name = "eplb"
  /// Creates the solver.
  public init() {}

  /// Balances the loads.
  public func search(_ problem: PlacementProblem) throws(PlacementError) -> PlacementFinding {
    let start = ContinuousClock.now
    var rows: [[[Int]]] = []
    for layer in 0..<problem.layers { rows.append(Self.balanced(problem, layer: layer)) }
    let plan = PlacementPlan(problem, expertsOfRanks: Self.renamed(rows, problem))
    return try PlacementFinding(name, plan, of: problem, since: start)
  }

  /// Balanced places for the items of a partition with given copies.
  static func places(
    _ problem: PlacementProblem, _ partition: Partition, groups copies: [[Int]]
  ) -> [[Int]] {
    (0..<problem.layers).map { layer in
      let packing = own(problem, layer: layer, copies: copies[layer])
      var waiting = packing.enumerated().map { (rank: $0.offset, experts: $0.element) }
      return partition.experts[layer].map { expert in
        for index in waiting.indices {
          if let at = waiting[index].experts.firstIndex(of: expert) {
            waiting[index].experts.remove(at: at)
            return waiting[index].rank
          }
        }
        return 0
      }
    }
  }

  /// The experts of each rank of a layer.
  private static func balanced(_ problem: PlacementProblem, layer: Int) -> [[Int]] {
    let topology = problem.topology
    var best = own(problem, layer: layer, copies: problem.copies()[layer])
    var lowest = largestLoad(best, problem, layer)
    for nodes in Set([1, topology.nodes]).sorted() {
      guard problem.experts.isMultiple(of: nodes),
        let slots = try? EPLB.rebalance(
          loads: problem.loads[layer], slots: problem.slots, groups: nodes, nodes: nodes,
          ranks: topology.ranks)
      else { continue }
      let perRank = problem.slotsPerRank
      let ranks = (0..<topology.ranks).map { Array(slots[$0 * perRank..<($0 + 1) * perRank]) }
      guard let legal = improved(ranks, problem, layer) else { continue }
      let load = largestLoad(legal, problem, layer)
      if load < lowest { (best, lowest) = (legal, load) }
    }
    return reallocated(best, lowest, problem, layer)
  }

  /// The most slots of a layer for which other numbers of copies are tried.
  private static let reallocationLimit = 24

  /// Moves copies from other experts to those of the busiest rank, as long as that lowers the
  /// largest load.
  private static func reallocated(
    _ start: [[Int]], _ load: Double, _ problem: PlacementProblem, _ layer: Int
  ) -> [[Int]] {
    var (best, lowest, isBetter) = (start, load, problem.slots <= reallocationLimit)
    while isBetter {
      isBetter = false
      var copies = [Int](repeating: 0, count: problem.experts)
      for rank in best { for expert in rank { copies[expert] += 1 } }
      let current = copies
      for receiver in 0..<problem.experts where current[receiver] < problem.topology.ranks {
        for donor in 0..<problem.experts where current[donor] > 1 && donor != receiver {
          copies = current
          copies[receiver] += 1
          copies[donor] -= 1
          let ranks = own(problem, layer: layer, copies: copies)
          let load = largestLoad(ranks, problem, layer)
          if load < lowest * (1 - 1e-12) { (best, lowest, isBetter) = (ranks, load, true) }
        }
      }
    }
    return best
  }

  private static func own(
    _ problem: PlacementProblem, layer: Int, copies: [Int]
  ) -> [[Int]] {
    let loads = problem.loads[layer]
    let items = copies.indices.flatMap { Array(repeating: $0, count: copies[$0]) }
      .sorted { (-loads[$0] / Double(copies[$0]), $0) < (-loads[$1] / Double(copies[$1]), $1) }
    var (ranks, sums) = (
      [[Int]](repeating: [], count: problem.topology.ranks),
      [Double](repeating: 0, count: problem.topology.ranks)
    )
    for expert in items {
      let free = ranks.indices.filter { ranks[$0].count < problem.slotsPerRank }
      let alone = free.filter { !ranks[$0].contains(expert) }
      let choice = (alone.isEmpty ? free : alone).min { sums[$0] < sums[$1] } ?? 0
      ranks[choice].append(expert)
      sums[choice] += loads[expert] / Double(copies[expert])
    }
    return improved(ranks, problem, layer) ?? dealt(problem, layer: layer, copies: copies)
  }

  /// A legal layout that ignores loads, as a start for improvements.
  private static func dealt(
    _ problem: PlacementProblem, layer: Int, copies: [Int]
  ) -> [[Int]] {
    // Distribute the experts in order, copies adjacent, round-robin, so that copies cannot share a
    // rank.
    let items = copies.indices.sorted { (-copies[$0], $0) < (-copies[$1], $1) }
      .flatMap { Array(repeating: $0, count: copies[$0]) }
    var ranks = [[Int]](repeating: [], count: problem.topology.ranks)
    for (index, expert) in items.enumerated() { ranks[index % ranks.count].append(expert) }
    return improved(ranks, problem, layer) ?? ranks
  }

  private static func largestLoad(
    _ ranks: [[Int]], _ problem: PlacementProblem, _ layer: Int
  ) -> Double {
    let share = shares(ranks, problem, layer)
    return ranks.map { $0.reduce(0) { $0 + share[$1] } }.max() ?? 0
  }

  private static func shares(
    _ ranks: [[Int]], _ problem: PlacementProblem, _ layer: Int
  ) -> [Double] {
    var copies = [Int](repeating: 0, count: problem.experts)
    for rank in ranks { for expert in rank { copies[expert] += 1 } }
    return zip(problem.loads[layer], copies).map { $0 / Double(max(1, $1)) }
  }

  /// Separates copies and lowers the largest load; `nil` if exchanges cannot separate copies.
  private static func improved(
    _ ranks: [[Int]], _ problem: PlacementProblem, _ layer: Int
  ) -> [[Int]]? {
    var ranks = ranks
    let share = shares(ranks, problem, layer)
    guard separate(&ranks, share) else { return nil }
    var sums = ranks.map { $0.reduce(0) { $0 + share[$1] } }
    let slack = 1e-12 * (sums.max() ?? 0)
    while let top = sums.indices.max(by: { sums[$0] < sums[$1] }) {
      var (best, exchange): (Double, (Int, Int, Int)?) = (sums[top] - slack, nil)
      for other in ranks.indices where other != top {
        for (i, a) in ranks[top].enumerated() where !ranks[other].contains(a) {
          for (j, b) in ranks[other].enumerated()
          where share[b] < share[a] && !ranks[top].contains(b) {
            let larger = max(sums[top] - share[a] + share[b], sums[other] + share[a] - share[b])
            if larger < best { (best, exchange) = (larger, (i, other, j)) }
          }
        }
      }
      guard let (i, other, j) = exchange else { return ranks }
      let (a, b) = (ranks[top][i], ranks[other][j])
      (ranks[top][i], ranks[other][j]) = (b, a)
      sums[top] += share[b] - share[a]
      sums[other] += share[a] - share[b]
    }
    return ranks
  }

  private static func separate(_ ranks: inout [[Int]], _ share: [Double]) -> Bool {
    for rank in ranks.indices {
      for i in ranks[rank].indices {
        let twin = ranks[rank][i]
        guard ranks[rank][..<i].contains(twin) else { continue }
        var (best, exchange): (Double, (Int, Int)?) = (.infinity, nil)
        for other in ranks.indices where other != rank && !ranks[other].contains(twin) {
          for (j, expert) in ranks[other].enumerated() where !ranks[rank].contains(expert) {
            let difference = (share[expert] - share[twin]).magnitude
            if difference < best { (best, exchange) = (difference, (other, j)) }
          }
        }
        guard let (other, j) = exchange else { return false }
        (ranks[rank][i], ranks[other][j]) = (ranks[other][j], twin)
      }
    }
    return true
  }

  /// Renames each layer's ranks to match the layer before it.
  private static func renamed(_ rows: [[[Int]]], _ problem: PlacementProblem) -> [[[Int]]] {
    let (count, experts) = (problem.topology.ranks, problem.experts)
    var result = [rows[0]]
    for layer in rows.indices.dropFirst() {
      var worth = [Double](repeating: 0, count: count * count)
      let before = result[layer - 1]
      for (row, new) in rows[layer].enumerated() {
        for (name, old) in before.enumerated() {
          for i in old {
            for p in new {
              worth[row * count + name] += problem.transitions[layer - 1][i * experts + p]
            }
          }
        }
      }
      let names = HungarianAssignment.best(worth, size: count).columns
      var renamed = rows[layer]
      for (row, name) in names.enumerated() { renamed[name] = rows[layer][row] }
      result.append(renamed)
    }
    return result
  }
}

extension PlacementMethod {
  /// ``LoadBalanceSolver``.
  public static let eplb = PlacementMethod(
    "eplb", help: "balances the loads and ignores where tokens go"
  ) { _ in
    LoadBalanceSolver()
  }
}
