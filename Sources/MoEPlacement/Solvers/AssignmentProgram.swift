/// The dynamic program of ``ExactSolver``.
struct AssignmentProgram {
  private let partition: Partition
  private let ranksPerNode: Int
  /// All balanced assignments of a layer, `[states][items]`.
  private let states: [[UInt8]]
  /// The class of each assignment.
  private let classOf: [Int]
  /// The representative assignment of each class.
  private let representatives: [Int]
  /// The places of the first and second half of the items, as numbers in base `columns`.
  private let (firstCode, secondCode): ([Int32], [Int32])
  private let half: Int

  init(_ partition: Partition, _ topology: PlacementTopology) {
    self.partition = partition
    ranksPerNode = topology.valueOfNode > 0 ? topology.ranksPerNode : topology.ranks
    let items = partition.items
    let half = (items + 1) / 2
    self.half = half
    let all = Self.enumerate(items: items, capacity: partition.capacity)
    var (classes, representatives): ([[UInt8]: Int], [Int]) = ([:], [])
    var classOf: [Int] = []
    for (index, state) in all.enumerated() {
      let canonical = Self.canonical(state, partition.columns, ranksPerNode)
      if let known = classes[canonical] {
        classOf.append(known)
      } else {
        classes[canonical] = representatives.count
        classOf.append(representatives.count)
        representatives.append(index)
      }
    }
    (states, self.classOf, self.representatives) = (all, classOf, representatives)
    let code = { (items: ArraySlice<UInt8>) in
      items.reversed().reduce(Int32(0)) { $0 * Int32(partition.columns) + Int32($1) }
    }
    firstCode = all.map { code($0[..<half]) }
    secondCode = all.map { code($0[half...]) }
  }

  private static func enumerate(items: Int, capacity: [Int]) -> [[UInt8]] {
    var (result, current, room): ([[UInt8]], [UInt8], [Int]) = ([], [], capacity)
    func extend() {
      guard current.count < items else {
        result.append(current)
        return
      }
      for column in room.indices where room[column] > 0 {
        room[column] -= 1
        current.append(UInt8(column))
        extend()
        current.removeLast()
        room[column] += 1
      }
    }
    extend()
    return result
  }

  /// Renames nodes, and ranks within nodes, in the order in which they first appear.
  private static func canonical(
    _ state: [UInt8], _ columns: Int, _ ranksPerNode: Int
  ) -> [UInt8] {
    var names = [Int](repeating: -1, count: columns)
    var nodes = [Int](repeating: -1, count: columns / ranksPerNode)
    var used = [Int](repeating: 0, count: nodes.count)
    var nextNode = 0
    return state.map { column in
      let node = Int(column) / ranksPerNode
      if nodes[node] < 0 {
        nodes[node] = nextNode
        nextNode += 1
      }
      if names[Int(column)] < 0 {
        names[Int(column)] = nodes[node] * ranksPerNode + used[node]
        used[node] += 1
      }
      return UInt8(names[Int(column)])
    }
  }

  private func penalties(layer: Int) -> [Double] {
    representatives.map { partition.loadPenalty(states[$0].map(Int.init), layer: layer) }
  }

  /// Whether no assignment of a layer satisfies the balance limit.
  func isImpossible(layer: Int) -> Bool { penalties(layer: layer).allSatisfy { $0 == .infinity } }

  /// The best places; `nil` if limits exclude all.
  func best() -> [[Int]]? {
    var values = penalties(layer: 0).map { -$0 }
    // For each class: the preceding class, and the assignment in that class's names.
    var ways: [[(before: Int, state: Int)]] = []
    for layer in 1..<max(1, partition.layers) {
      let step = follow(values, layer: layer)
      values = zip(step.values, penalties(layer: layer)).map { $0 - $1 }
      ways.append(step.ways)
    }
    guard let last = values.indices.max(by: { values[$0] < values[$1] }), values[last] > -.infinity
    else { return nil }
    return trace(ways, last: last)
  }

  private func follow(
    _ values: [Double], layer: Int
  ) -> (values: [Double], ways: [(before: Int, state: Int)]) {
    var best = [Double](repeating: -.infinity, count: states.count)
    var origin = [Int32](repeating: 0, count: states.count)
    for (index, value) in values.enumerated() where value > -.infinity {
      let gains = gains(of: states[representatives[index]], layer: layer)
      let first = table(gains, items: 0..<half)
      let second = table(gains, items: half..<partition.items)
      Self.relax(
        &best, &origin, value: value, from: Int32(index), first, second, firstCode, secondCode)
    }
    var result = [Double](repeating: -.infinity, count: representatives.count)
    var ways = [(before: Int, state: Int)](repeating: (0, 0), count: representatives.count)
    for state in states.indices where best[state] > result[classOf[state]] {
      result[classOf[state]] = best[state]
      ways[classOf[state]] = (Int(origin[state]), state)
    }
    return (result, ways)
  }

  /// The innermost loop: the value of every assignment after one of the layer before.
  private static func relax(
    _ best: inout [Double], _ origin: inout [Int32], value: Double, from index: Int32,
    _ first: [Double], _ second: [Double], _ firstCode: [Int32], _ secondCode: [Int32]
  ) {
    for state in best.indices {
      let candidate = value + first[Int(firstCode[state])] + second[Int(secondCode[state])]
      if candidate > best[state] {
        best[state] = candidate
        origin[state] = index
      }
    }
  }

  /// The gain of each item of a layer in each column, given places in the layer before.
  private func gains(of state: [UInt8], layer: Int) -> [Double] {
    let (items, columns) = (partition.items, partition.columns)
    var result = [Double](repeating: 0, count: items * columns)
    for k in 0..<items {
      for l in 0..<items {
        let worth = partition.worth[layer - 1][k * items + l]
        guard worth > 0 else { continue }
        for c in 0..<columns {
          result[l * columns + c] += worth * partition.affinity[Int(state[k]) * columns + c]
        }
      }
    }
    return result
  }

  /// The sums of gains for all places of some items.
  private func table(_ gains: [Double], items: Range<Int>) -> [Double] {
    var result = [0.0]
    for item in items.reversed() {
      var longer: [Double] = []
      longer.reserveCapacity(result.count * partition.columns)
      for sum in result {
        for c in 0..<partition.columns { longer.append(sum + gains[item * partition.columns + c]) }
      }
      result = longer
    }
    return result
  }

  private func trace(_ ways: [[(before: Int, state: Int)]], last: Int) -> [[Int]] {
    var (path, index): ([Int], Int) = ([], last)
    for step in ways.reversed() {
      path.append(step[index].state)
      index = step[index].before
    }
    var places = [states[representatives[index]].map(Int.init)]
    for state in path.reversed() {
      // The assignment uses the names of its predecessor's representative; translate them to ours.
      let before = states[representatives[index]]
      var names = [Int](repeating: 0, count: partition.columns)
      for (item, column) in before.enumerated() {
        names[Int(column)] = places[places.count - 1][item]
      }
      places.append(states[state].map { names[Int($0)] })
      index = classOf[state]
    }
    return places
  }
}
