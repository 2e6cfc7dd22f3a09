/// A solution of a ``Partition`` that is being improved.
///
/// It stores the gain of every item in every column, given its neighbours in the layers before and
/// after, so that a move is evaluated in constant time and costs one update per neighbour.
struct PartitionState {
  let partition: Partition
  private(set) var places: [[Int]]
  /// The gain of item `k` in column `c`, `[layers][columns · items]`: a move changes two contiguous
  /// runs.
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
    for index in gains[layer].indices { gains[layer][index] = 0 }
    if layer > 0 {
      for (item, column) in places[layer - 1].enumerated() {
        tell(layer, partition.worth[layer - 1], item, in: column, times: 1)
      }
    }
    if after, layer + 1 < partition.layers {
      for (item, column) in places[layer + 1].enumerated() {
        tell(layer, partition.worthBack[layer], item, in: column, times: 1)
      }
    }
  }

  /// Replaces the places of a layer and updates its neighbours' gains.
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
    if layer > 0 {
      tell(layer - 1, partition.worthBack[layer - 1], item, in: p, times: -1)
      tell(layer - 1, partition.worthBack[layer - 1], item, in: q, times: 1)
    }
    if layer + 1 < partition.layers {
      tell(layer + 1, partition.worth[layer], item, in: p, times: -1)
      tell(layer + 1, partition.worth[layer], item, in: q, times: 1)
    }
  }

  /// Adds the worth of an item in a column to the gains of a neighbouring layer's items.
  private mutating func tell(
    _ layer: Int, _ worth: [Double], _ item: Int, in column: Int, times sign: Double
  ) {
    let (items, columns) = (partition.items, partition.columns)
    guard partition.hasNodes else {
      Runs.add(
        worth, at: item * items, times: sign, to: &gains[layer], at: column * items, count: items)
      return
    }
    for c in 0..<columns {
      let share = partition.affinity[c * columns + column]
      guard share > 0 else { continue }
      Runs.add(
        worth, at: item * items, times: sign * share, to: &gains[layer], at: c * items,
        count: items)
    }
  }

  /// The gain of exchanging two items of a layer, without loads.
  func gainOfSwap(_ k: Int, _ l: Int, layer: Int) -> Double {
    let items = partition.items
    let (p, q) = (places[layer][k] * items, places[layer][l] * items)
    return gains[layer][q + k] - gains[layer][p + k] + gains[layer][p + l] - gains[layer][q + l]
  }

  /// Whether exchanging two items would put two copies of an expert into one column.
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
