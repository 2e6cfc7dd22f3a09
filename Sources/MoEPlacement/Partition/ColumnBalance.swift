/// The loads of a layer's columns, and the effect of exchanging two items on the largest.
struct ColumnBalance {
  private let loads: [Double]
  private let limit: Double
  private let cost: Double
  private var columns: [Double]

  init(_ partition: Partition, _ places: [Int], layer: Int) {
    loads = partition.loads[layer]
    (limit, cost) = (partition.loadLimit[layer], partition.loadCost[layer])
    columns = partition.columnLoads(places, layer: layer)
  }

  /// Mean load of a column.
  var mean: Double { columns.reduce(0, +) / Double(max(1, columns.count)) }

  /// The change of the load beyond the limit, and of the cost of the largest load, if `k` moved
  /// from `p` to `q` and `l` from `q` to `p`.
  func change(_ k: Int, _ p: Int, _ l: Int, _ q: Int) -> (excess: Double, cost: Double) {
    let difference = loads[l] - loads[k]
    guard difference != 0 else { return (0, 0) }
    let (newP, newQ) = (columns[p] + difference, columns[q] - difference)
    let excess =
      max(0, newP - limit) + max(0, newQ - limit) - max(0, columns[p] - limit)
      - max(0, columns[q] - limit)
    guard cost > 0 else { return (excess, 0) }
    var (before, after) = (0.0, max(newP, newQ))
    for (column, load) in columns.enumerated() {
      before = max(before, load)
      if column != p, column != q { after = max(after, load) }
    }
    return (excess, cost * (after - before))
  }

  mutating func swap(_ k: Int, _ p: Int, _ l: Int, _ q: Int) {
    columns[p] += loads[l] - loads[k]
    columns[q] -= loads[l] - loads[k]
  }
}
