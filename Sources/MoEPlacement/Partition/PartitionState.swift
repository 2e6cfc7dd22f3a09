/// A solution of a ``Partition`` on its way to a better one.
///
/// For every item it keeps what the item would gain in every column, given its neighbours in the layers before
/// and after, so that a move is judged at once and costs one update per neighbour.
struct PartitionState {
  let partition: Partition
  private(set) var places: [[Int]]
  /// Gain of item `k` in column `c`, `[layers][items · columns]`.
  private(set) var gains: [[Double]]

  init(_ partition: Partition, places: [[Int]]) {
    (self.partition, self.places) = (partition, places)
    gains = Array(
      repeating: Array(repeating: 0, count: partition.items * partition.columns),
      count: partition.layers)
    for layer in 0..<partition.layers { refreshGains(of: layer) }
  }

  /// Computes the gains of a layer from its neighbours' places.
  mutating func refreshGains(of layer: Int, after: Bool = true) {
    let (items, columns) = (partition.items, partition.columns)
    var raw = [Double](repeating: 0, count: items * columns)
    if layer > 0 {
      Self.add(partition.worthBack[layer - 1], places[layer - 1], columns, into: &raw)
    }
    if after, layer + 1 < partition.layers {
      Self.add(partition.worth[layer], places[layer + 1], columns, into: &raw)
    }
    gains[layer] = partition.hasNodes ? spread(raw) : raw
  }

  private static func add(
    _ worth: [Double], _ neighbours: [Int], _ columns: Int, into raw: inout [Double]
  ) {
    let items = neighbours.count
    for k in 0..<items {
      for l in 0..<items { raw[k * columns + neighbours[l]] += worth[k * items + l] }
    }
  }

  /// Lets columns of a node share their worth.
  private func spread(_ raw: [Double]) -> [Double] {
    let columns = partition.columns
    var result = raw
    for k in 0..<partition.items {
      for c in 0..<columns {
        var sum = 0.0
        for d in 0..<columns { sum += raw[k * columns + d] * partition.affinity[c * columns + d] }
        result[k * columns + c] = sum
      }
    }
    return result
  }

  /// Replaces the places of a layer and what its neighbours gain by it.
  mutating func setPlaces(_ new: [Int], layer: Int) {
    let old = places[layer]
    guard new != old else { return }
    places[layer] = new
    for item in new.indices where new[item] != old[item] {
      tellNeighbours(layer, item, from: old[item], to: new[item])
    }
  }

  /// Exchanges two items of a layer.
  mutating func swap(_ k: Int, _ l: Int, layer: Int) {
    let (p, q) = (places[layer][k], places[layer][l])
    (places[layer][k], places[layer][l]) = (q, p)
    tellNeighbours(layer, k, from: p, to: q)
    tellNeighbours(layer, l, from: q, to: p)
  }

  private mutating func tellNeighbours(_ layer: Int, _ item: Int, from p: Int, to q: Int) {
    if layer > 0 { tell(layer - 1, partition.worth[layer - 1], item, stride: true, p, q) }
    if layer + 1 < partition.layers {
      tell(layer + 1, partition.worth[layer], item, stride: false, p, q)
    }
  }

  private mutating func tell(
    _ layer: Int, _ worth: [Double], _ item: Int, stride: Bool, _ p: Int, _ q: Int
  ) {
    let (items, columns) = (partition.items, partition.columns)
    let table = stride ? partition.worthBack[layer] : worth
    let row = item * items
    guard partition.hasNodes else {
      for l in 0..<items {
        let count = table[row + l]
        gains[layer][l * columns + p] -= count
        gains[layer][l * columns + q] += count
      }
      return
    }
    for l in 0..<items {
      let count = table[row + l]
      guard count > 0 else { continue }
      for c in 0..<columns {
        let change = partition.affinity[c * columns + q] - partition.affinity[c * columns + p]
        gains[layer][l * columns + c] += count * change
      }
    }
  }

  /// What an exchange of two items of a layer would add, without loads.
  func gainOfSwap(_ k: Int, _ l: Int, layer: Int) -> Double {
    let columns = partition.columns
    let (p, q) = (places[layer][k], places[layer][l])
    let table = gains[layer]
    return table[k * columns + q] - table[k * columns + p] + table[l * columns + p]
      - table[l * columns + q]
  }

  /// Whether exchanging two items would put copies of one expert together.
  func wouldMeetTwin(_ k: Int, _ l: Int, layer: Int) -> Bool {
    guard partition.hasTwins else { return false }
    let experts = partition.experts[layer]
    let (p, q) = (places[layer][k], places[layer][l])
    guard experts[k] != experts[l] else { return true }
    for item in experts.indices where item != k && item != l {
      if experts[item] == experts[k], places[layer][item] == q { return true }
      if experts[item] == experts[l], places[layer][item] == p { return true }
    }
    return false
  }
}
