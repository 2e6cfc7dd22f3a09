import Foundation
import MoECore

/// Improves solutions of a ``Partition`` layer by layer, by exchanges, by annealing and by
/// combination.
struct PartitionSweep {
  let partition: Partition

  /// Reassigns every layer given its neighbours, forwards and backwards, until nothing improves.
  func settle(_ state: inout PartitionState, deadline: Deadline) {
    let order = Array(0..<partition.layers) + (0..<partition.layers).reversed()
    var isBetter = true
    while isBetter, !deadline.isOver {
      isBetter = false
      for layer in order where improve(&state, layer: layer) { isBetter = true }
    }
  }

  /// Finds better places for one layer; false if there are none.
  private func improve(_ state: inout PartitionState, layer: Int) -> Bool {
    guard !partition.hasLoads else { return exchange(&state, layer: layer) }
    let old = state.places[layer]
    let new = LayerAssignment.best(
      gains: state.gains[layer], columns: partition.columns, from: old,
      twins: partition.hasTwins ? partition.experts[layer] : [])
    guard new != old else { return false }
    state.setPlaces(new, layer: layer)
    return true
  }

  /// Exchanges pairs in a layer as long as that helps; reducing loads beyond the limit has
  /// priority.
  private func exchange(_ state: inout PartitionState, layer: Int) -> Bool {
    var balance = ColumnBalance(partition, state.places[layer], layer: layer)
    var (isBetter, found) = (false, true)
    let scale = 1e-11 * (1 + state.gains[layer].reduce(0) { max($0, $1.magnitude) })
    while found {
      found = false
      for k in 0..<partition.items {
        for l in 0..<k where state.places[layer][k] != state.places[layer][l] {
          let gain = state.gainOfSwap(k, l, layer: layer)
          let (p, q) = (state.places[layer][k], state.places[layer][l])
          let change = balance.change(k, p, l, q)
          guard
            change.excess < -1e-9 * balance.mean
              || (change.excess <= 0 && gain - change.cost > scale),
            !state.wouldMeetTwin(k, l, layer: layer)
          else { continue }
          balance.swap(k, p, l, q)
          state.swap(k, l, layer: layer)
          (isBetter, found) = (true, true)
        }
      }
    }
    return isBetter
  }

  /// Builds a solution from the first layer's places: each layer is optimal for the one before it.
  func chain(first: [Int]) -> [[Int]] {
    var state = PartitionState(
      partition, places: Array(repeating: first, count: partition.layers))
    for layer in 1..<max(1, partition.layers) {
      state.refreshGains(of: layer, after: false)
      let new = LayerAssignment.best(
        gains: state.gains[layer], columns: partition.columns,
        from: partition.contiguous(layer: layer),
        twins: partition.hasTwins ? partition.experts[layer] : [])
      state.setPlaces(new, layer: layer)
    }
    return state.places
  }

  /// Exchanges random pairs, accepting losses more and more rarely.
  ///
  /// - SeeAlso: Kirkpatrick, Gelatt and Vecchi 1983, *Optimization by Simulated Annealing*,
  ///   [doi:10.1126/science.220.4598.671](https://doi.org/10.1126/science.220.4598.671).
  func anneal(
    _ state: inout PartitionState, proposals: Int, warmth: Double,
    using generator: inout SeededGenerator, deadline: Deadline
  ) {
    let (layers, items) = (partition.layers, partition.items)
    guard partition.columns > 1, items > 1, proposals > 0 else { return }
    var balances = (0..<layers).map { ColumnBalance(partition, state.places[$0], layer: $0) }
    let start = warmth * typicalLoss(state, using: &generator)
    guard start > 0 else { return }
    let rounds = 100
    for round in 0..<rounds where !deadline.isOver {
      let temperature = start * max(1e-9, 1 - Double(round) / Double(rounds))
      // Layer by layer, because the tables of one layer fit into the cache and those of all do not.
      for layer in 0..<layers {
        for _ in 0..<max(1, proposals / rounds / layers) {
          let k = Int(generator.next() >> 32) % items
          let l = Int(generator.next() >> 32) % items
          propose(
            &state, k, l, layer: layer, temperature: temperature, balance: &balances[layer],
            using: &generator)
        }
      }
    }
  }

  /// Exchanges two items if that is a gain, otherwise with a probability that falls with the loss.
  private func propose(
    _ state: inout PartitionState, _ k: Int, _ l: Int, layer: Int, temperature: Double,
    balance: inout ColumnBalance, using generator: inout SeededGenerator
  ) {
    let (p, q) = (state.places[layer][k], state.places[layer][l])
    guard p != q else { return }
    var gain = state.gainOfSwap(k, l, layer: layer)
    if partition.hasLoads {
      let change = balance.change(k, p, l, q)
      guard change.excess <= 0 else { return }
      gain -= change.cost
    }
    guard
      gain >= 0 || gain > temperature * Self.logarithm(of: &generator),
      !state.wouldMeetTwin(k, l, layer: layer)
    else { return }
    if partition.hasLoads { balance.swap(k, p, l, q) }
    state.swap(k, l, layer: layer)
  }

  private static func logarithm(of generator: inout SeededGenerator) -> Double {
    log(Double.random(in: Double.leastNormalMagnitude..<1, using: &generator))
  }

  /// The mean loss of exchanges that are losses.
  private func typicalLoss(
    _ state: PartitionState, using generator: inout SeededGenerator
  ) -> Double {
    var (sum, count) = (0.0, 0)
    for _ in 0..<500 {
      let layer = Int.random(in: 0..<partition.layers, using: &generator)
      let k = Int.random(in: 0..<partition.items, using: &generator)
      let l = Int.random(in: 0..<partition.items, using: &generator)
      let gain = state.gainOfSwap(k, l, layer: layer)
      if gain < 0 { (sum, count) = (sum - gain, count + 1) }
    }
    return count > 0 ? sum / Double(count) : 0
  }

  /// The best combination of several solutions: each layer is taken from one of them, with its
  /// columns renamed to match the layer before.
  ///
  /// - Complexity: O(layers × solutions² × (items² + columns³)).
  func combined(_ solutions: [[[Int]]]) -> [[Int]]? {
    guard partition.isSymmetric, solutions.count > 1, partition.layers > 1 else { return nil }
    var best = solutions.map { partition.loadPenalty($0[0], layer: 0) }.map { -$0 }
    var choices: [[(from: Int, names: [Int])]] = []
    for layer in 1..<partition.layers {
      var (next, chosen): ([Double], [(from: Int, names: [Int])]) = ([], [])
      for solution in solutions {
        var (top, choice) = (-Double.infinity, (from: 0, names: Array(0..<partition.columns)))
        for (index, before) in solutions.enumerated() where best[index] > -.infinity {
          let blocks = partition.blocks(layer - 1, before[layer - 1], solution[layer])
          // Row: column of the new layer; column: its new name.
          let match = HungarianAssignment.best(blocks, size: partition.columns)
          if best[index] + match.total > top {
            (top, choice) = (best[index] + match.total, (index, match.columns))
          }
        }
        next.append(top - partition.loadPenalty(solution[layer], layer: layer))
        chosen.append(choice)
      }
      best = next
      choices.append(chosen)
    }
    guard var index = best.indices.max(by: { best[$0] < best[$1] }), best[index] > -.infinity else {
      return nil
    }
    var path = [index]
    for chosen in choices.reversed() {
      index = chosen[index].from
      path.append(index)
    }
    path.reverse()
    var names = Array(0..<partition.columns)
    var places = [solutions[path[0]][0]]
    for layer in 1..<partition.layers {
      let local = choices[layer - 1][path[layer]].names
      names = local.map { names[$0] }
      places.append(solutions[path[layer]][layer].map { names[$0] })
    }
    return places
  }
}

extension Partition {
  /// Items in order, column by column; copies of one expert are distributed to different columns.
  func contiguous(layer: Int) -> [Int] {
    guard hasTwins else {
      return capacity.enumerated().flatMap { Array(repeating: $0.offset, count: $0.element) }
    }
    return dealt(Array(0..<items), layer: layer)
  }

  /// Distributes items in an order, experts with the most copies first, each to the column with the
  /// most free places that holds no copy.
  func dealt(_ order: [Int], layer: Int) -> [Int] {
    let expertOf = experts[layer]
    var copies: [Int: Int] = [:]
    for expert in expertOf { copies[expert, default: 0] += 1 }
    let sorted = order.enumerated().sorted {
      let (a, b) = (copies[expertOf[$0.element]] ?? 0, copies[expertOf[$1.element]] ?? 0)
      return a != b
        ? a > b
        : a > 1 && expertOf[$0.element] != expertOf[$1.element]
          ? expertOf[$0.element] < expertOf[$1.element] : $0.offset < $1.offset
    }.map(\.element)
    var (room, result) = (capacity, [Int](repeating: 0, count: items))
    var holders: [Int: Set<Int>] = [:]
    for item in sorted {
      let taken = holders[expertOf[item]] ?? []
      // Choosing the column with the most room keeps room everywhere, so that later copies find
      // different columns.
      let free = room.indices.filter { room[$0] > 0 && !taken.contains($0) }
      let column =
        free.max { (room[$0], -$0) < (room[$1], -$1) } ?? room.indices.first { room[$0] > 0 } ?? 0
      result[item] = column
      room[column] -= 1
      holders[expertOf[item], default: []].insert(column)
    }
    return result
  }

  /// A random layer.
  func shuffled(layer: Int, using generator: inout SeededGenerator) -> [Int] {
    guard hasTwins else { return contiguous(layer: layer).shuffled(using: &generator) }
    return dealt(Array(0..<items).shuffled(using: &generator), layer: layer)
  }

  /// The worth between the columns of two layers; rows are columns of the next layer, columns those
  /// of the layer before.
  func blocks(_ layer: Int, _ before: [Int], _ after: [Int]) -> [Double] {
    var result = [Double](repeating: 0, count: columns * columns)
    for k in 0..<items {
      for l in 0..<items {
        result[after[l] * columns + before[k]] += worth[layer][k * items + l]
      }
    }
    return result
  }
}
