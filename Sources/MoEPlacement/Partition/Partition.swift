/// The search problem behind every solver.
///
/// Items of each layer are assigned to columns with a fixed number of places; two items of
/// neighbouring layers are worth something if their columns match.
///
/// Items are copies of experts; columns are ranks (or nodes, or halves of a set of ranks). A
/// transition between experts with `a` and `b` copies is worth `1 / max(a, b)` of its count for
/// each common rank, as in ``PlacementEvaluation``.
struct Partition {
  let layers: Int
  /// The number of items in a layer, the same for all layers.
  let items: Int
  /// The expert of each item, `[layers][items]`; two items of one expert must not share a column.
  let experts: [[Int]]
  /// Whether any expert has several items.
  let hasTwins: Bool
  /// The worth of item `k` meeting item `l` of the next layer, `[layers − 1][items · items]`.
  let worth: [[Double]]
  /// The same, seen from the next layer: element `l · items + k`.
  let worthBack: [[Double]]
  /// The number of places of each column.
  let capacity: [Int]
  /// The affinity of two columns, `[columns · columns]`: 1 for the same, less within a node, else
  /// 0.
  let affinity: [Double]
  /// The load of each item, `[layers][items]`.
  let loads: [[Double]]
  /// The largest permitted load of a column, per layer.
  let loadLimit: [Double]
  /// The cost of one unit of the largest load, per layer.
  let loadCost: [Double]

  var columns: Int { capacity.count }
  /// Whether columns are interchangeable.
  var isSymmetric: Bool {
    capacity.allSatisfy { $0 == capacity[0] } && !hasNodes
  }
  let hasNodes: Bool
  /// Whether loads affect the score.
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
    let share = problem.imbalanceWeight * problem.imbalanceScale / Double(layers)
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

  /// The subproblem for some items of each layer, listed in `chosen[layer]`.
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

  /// The worth of places, without loads.
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

  /// The loads of a layer's columns.
  func columnLoads(_ places: [Int], layer: Int) -> [Double] {
    var result = [Double](repeating: 0, count: columns)
    for (item, column) in places.enumerated() { result[column] += loads[layer][item] }
    return result
  }

  /// The cost of a layer's loads; infinite beyond the limit.
  func loadPenalty(_ places: [Int], layer: Int) -> Double {
    guard hasLoads else { return 0 }
    let largest = columnLoads(places, layer: layer).max() ?? 0
    return largest > loadLimit[layer] ? .infinity : largest * loadCost[layer]
  }

  /// The value that solvers maximise; negative infinity if a limit is violated.
  func score(_ places: [[Int]]) -> Double {
    let penalty = places.indices.reduce(0) { $0 + loadPenalty(places[$1], layer: $1) }
    return kept(places) - penalty
  }
}
