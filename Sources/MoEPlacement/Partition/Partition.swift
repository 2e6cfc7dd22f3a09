/// The search problem behind every solver: items in layers, columns with a fixed number of places, and what two
/// items of neighbouring layers are worth when their columns meet.
///
/// Items are copies of experts, columns are ranks (or nodes, or halves of a set of ranks). A transition between
/// experts with `a` and `b` copies is worth `1 / max(a, b)` of its count for each common rank, which is what
/// ``PlacementEvaluation`` counts.
struct Partition {
  let layers: Int
  /// Items of each layer; the same everywhere.
  let items: Int
  /// Expert of each item, `[layers][items]`; two items of one expert must not share a column.
  let experts: [[Int]]
  /// Whether some expert has several items.
  let hasTwins: Bool
  /// Worth of item `k` meeting item `l` of the next layer, `[layers − 1][items · items]`.
  let worth: [[Double]]
  /// The same, seen from the next layer: element `l · items + k`.
  let worthBack: [[Double]]
  /// Places of each column.
  let capacity: [Int]
  /// Worth of two columns, `[columns · columns]`: 1 for the same, less in one node, else 0.
  let affinity: [Double]
  /// Load of each item, `[layers][items]`.
  let loads: [[Double]]
  /// Largest load of a column, per layer.
  let loadLimit: [Double]
  /// What one unit of the largest load costs, per layer.
  let loadCost: [Double]

  var columns: Int { capacity.count }
  /// Whether columns differ only in their names.
  var isSymmetric: Bool {
    capacity.allSatisfy { $0 == capacity[0] } && !hasNodes
  }
  let hasNodes: Bool
  /// Whether loads matter at all.
  let hasLoads: Bool

  /// The whole problem, with items for the given copies of experts, `[layers][experts]`.
  init(_ problem: PlacementProblem, copies: [[Int]]) {
    let (layers, topology) = (problem.layers, problem.topology)
    let experts = copies.map { row in
      row.enumerated().flatMap { Array(repeating: $0.offset, count: $0.element) }
    }
    let items = problem.slots
    let worth = (0..<layers - 1).map { layer in
      Self.worth(
        problem.transitions[layer], experts[layer], experts[layer + 1], copies[layer],
        copies[layer + 1])
    }
    let value = topology.valueOfNode
    let ranks = topology.ranks
    var affinity = [Double](repeating: 0, count: ranks * ranks)
    for p in 0..<ranks {
      for q in 0..<ranks {
        affinity[p * ranks + q] =
          p == q ? 1 : topology.node(of: p) == topology.node(of: q) ? value : 0
      }
    }
    let loads = (0..<layers).map { layer in
      experts[layer].map { problem.loads[layer][$0] / Double(copies[layer][$0]) }
    }
    let means = problem.loads.map { $0.reduce(0, +) / Double(ranks) }
    let share = problem.imbalanceWeight * problem.totalTransitions / Double(layers)
    self.init(
      items: items, experts: experts, hasTwins: problem.replicas > 0, worth: worth,
      capacity: Array(repeating: problem.slotsPerRank, count: ranks), affinity: affinity,
      hasNodes: value > 0, loads: loads,
      loadLimit: means.map { mean in
        problem.balanceLimit.map { $0 * mean * (1 + 1e-12) } ?? .infinity
      },
      loadCost: means.map { $0 > 0 ? share / $0 : 0 })
  }

  init(
    items: Int, experts: [[Int]], hasTwins: Bool, worth: [[Double]], capacity: [Int],
    affinity: [Double]? = nil, hasNodes: Bool = false, loads: [[Double]], loadLimit: [Double],
    loadCost: [Double]
  ) {
    (layers, self.items, self.experts, self.hasTwins) = (experts.count, items, experts, hasTwins)
    (self.worth, self.capacity, self.hasNodes) = (worth, capacity, hasNodes)
    (self.loads, self.loadLimit, self.loadCost) = (loads, loadLimit, loadCost)
    hasLoads = loadLimit.contains { $0.isFinite } || loadCost.contains { $0 > 0 }
    worthBack = worth.map { table in
      var back = [Double](repeating: 0, count: table.count)
      for k in 0..<items { for l in 0..<items { back[l * items + k] = table[k * items + l] } }
      return back
    }
    let columns = capacity.count
    var same = [Double](repeating: 0, count: columns * columns)
    for p in 0..<columns { same[p * columns + p] = 1 }
    self.affinity = affinity ?? same
  }

  private static func worth(
    _ counts: [Double], _ left: [Int], _ right: [Int], _ leftCopies: [Int], _ rightCopies: [Int]
  ) -> [Double] {
    let experts = rightCopies.count
    var result: [Double] = []
    result.reserveCapacity(left.count * right.count)
    for i in left {
      for p in right {
        result.append(
          counts[i * experts + p] / Double(max(leftCopies[i], rightCopies[p])))
      }
    }
    return result
  }

  /// The part of this problem that is left when items are already confined: `chosen[layer]` lists them.
  func part(_ chosen: [[Int]], capacity: [Int]) -> Partition {
    let count = chosen[0].count
    return Partition(
      items: count, experts: zip(experts, chosen).map { row, kept in kept.map { row[$0] } },
      hasTwins: hasTwins,
      worth: worth.enumerated().map { layer, table in
        chosen[layer].flatMap { k in chosen[layer + 1].map { table[k * items + $0] } }
      }, capacity: capacity, loads: zip(loads, chosen).map { row, kept in kept.map { row[$0] } },
      loadLimit: loadLimit.map { _ in .infinity }, loadCost: loadCost.map { _ in 0 })
  }

  /// What places are worth, without loads.
  func kept(_ places: [[Int]]) -> Double {
    var result = 0.0
    for (layer, table) in worth.enumerated() {
      for k in 0..<items {
        let row = places[layer][k] * columns
        for l in 0..<items { result += table[k * items + l] * affinity[row + places[layer + 1][l]] }
      }
    }
    return result
  }

  /// Loads of the columns of a layer.
  func columnLoads(_ places: [Int], layer: Int) -> [Double] {
    var result = [Double](repeating: 0, count: columns)
    for (item, column) in places.enumerated() { result[column] += loads[layer][item] }
    return result
  }

  /// What the loads of a layer cost; infinite beyond the limit.
  func loadPenalty(_ places: [Int], layer: Int) -> Double {
    guard hasLoads else { return 0 }
    let largest = columnLoads(places, layer: layer).max() ?? 0
    return largest > loadLimit[layer] ? .infinity : largest * loadCost[layer]
  }

  /// What solvers maximise; negative infinity when a limit is broken.
  func score(_ places: [[Int]]) -> Double {
    let penalty = places.indices.reduce(0) { $0 + loadPenalty(places[$1], layer: $1) }
    return kept(places) - penalty
  }
}
