/// Assigns the items of one layer to columns optimally, given each item's gain in each column.
///
/// This is a linear assignment problem in which all places of a column are equivalent. It is solved
/// by cycle cancelling: an assignment is optimal if there is no cycle of columns around which
/// moving one item each gains anything. Cycles are found by the Bellman–Ford algorithm on the
/// columns, where the length of an edge is the cost of the cheapest item to move between two
/// columns. From a good initial assignment it needs few cycles.
///
/// - SeeAlso: Klein 1967, *A Primal Method for Minimal Cost Flows*,
///   [doi:10.1287/mnsc.14.3.205](https://doi.org/10.1287/mnsc.14.3.205).
struct LayerAssignment {
  let columns: Int
  /// The gain of item `k` in column `c`, `[columns · items]`.
  let gains: [Double]
  /// The expert of each item; empty if all are different.
  let twins: [Int]
  private(set) var places: [Int]
  private var members: [[Int]]
  /// The loss of the cheapest move between columns, and its item.
  private var loss: [Double]
  private var mover: [Int]
  private let tolerance: Double

  init(gains: [Double], columns: Int, places: [Int], twins: [Int] = []) {
    (self.gains, self.columns, self.places, self.twins) = (gains, columns, places, twins)
    members = Array(repeating: [], count: columns)
    for (item, column) in places.enumerated() { members[column].append(item) }
    loss = Array(repeating: .infinity, count: columns * columns)
    mover = Array(repeating: -1, count: columns * columns)
    var largest = 0.0
    for gain in gains { largest = max(largest, gain.magnitude) }
    tolerance = 1e-11 * largest
    for column in 0..<columns { refreshMoves(from: column) }
  }

  /// The best places, starting from `places`, which must fill each column to its capacity.
  ///
  /// - Complexity: O(cycles · columns³), plus updates of the moves that they change.
  static func best(
    gains: [Double], columns: Int, from places: [Int], twins: [Int] = []
  ) -> [Int] {
    guard columns > 1 else { return places }
    var assignment = LayerAssignment(gains: gains, columns: columns, places: places, twins: twins)
    while assignment.cancelRing() {}
    return assignment.places
  }

  private mutating func refreshMoves(from p: Int) {
    for q in 0..<columns where q != p { refreshMove(p, q) }
  }

  private mutating func refreshMove(_ p: Int, _ q: Int) {
    let items = places.count
    var (best, item) = (Double.infinity, -1)
    for k in members[p] {
      let value = gains[p * items + k] - gains[q * items + k]
      if value < best, !hasTwin(k, in: q) { (best, item) = (value, k) }
    }
    loss[p * columns + q] = best
    mover[p * columns + q] = item
  }

  private func hasTwin(_ item: Int, in column: Int) -> Bool {
    guard !twins.isEmpty else { return false }
    return members[column].contains { twins[$0] == twins[item] }
  }

  /// Moves items around one cycle with a gain; false if there is none.
  private mutating func cancelRing() -> Bool {
    guard let ring = findRing() else { return false }
    for (from, to) in zip(ring, ring.dropFirst() + ring.prefix(1)) {
      let item = mover[from * columns + to]
      places[item] = to
      members[from].removeAll { $0 == item }
      members[to].append(item)
    }
    for column in ring {
      refreshMoves(from: column)
      if !twins.isEmpty {
        for other in 0..<columns where other != column { refreshMove(other, column) }
      }
    }
    return true
  }

  private func findRing() -> [Int]? {
    var distance = [Double](repeating: 0, count: columns)
    var parent = [Int](repeating: -1, count: columns)
    for _ in 0..<columns {
      var isStable = true
      for p in 0..<columns {
        let start = distance[p]
        for q in 0..<columns {
          let candidate = start + loss[p * columns + q]
          if candidate < distance[q] - tolerance {
            (distance[q], parent[q], isStable) = (candidate, p, false)
          }
        }
      }
      if isStable { return nil }
      if let ring = ring(in: parent) { return ring }
    }
    return nil
  }

  /// A cycle among the parents whose moves have a gain, in the order of the moves.
  private func ring(in parent: [Int]) -> [Int]? {
    var mark = [Int](repeating: -1, count: columns)
    for start in 0..<columns where mark[start] < 0 {
      var column = start
      while column >= 0, mark[column] < 0 {
        mark[column] = start
        column = parent[column]
      }
      guard column >= 0, mark[column] == start else { continue }
      var ring = [column]
      var next = parent[column]
      while next != column {
        ring.append(next)
        next = parent[next]
      }
      ring.reverse()
      let moves = zip(ring, ring.dropFirst() + ring.prefix(1))
      let total = moves.reduce(0) { $0 + loss[$1.0 * columns + $1.1] }
      if total < -tolerance { return ring }
    }
    return nil
  }
}
