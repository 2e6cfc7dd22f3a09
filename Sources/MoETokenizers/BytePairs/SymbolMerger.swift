/// Merges neighbouring symbols of a word until no pair is left: always the pair with the lowest
/// rank, the leftmost of equal ones.
struct SymbolMerger {
  /// The longest word for which a linear search through all pairs is faster than a heap.
  private static let shortWord = 48
  private static let none = UInt32.max
  private var ranks: [UInt32] = []
  private var results: [Int32] = []

  /// Merges the symbols of one word in place.
  ///
  /// - Complexity: O(n log n).
  mutating func merge(_ symbols: inout [Int32], with table: MergeTable) {
    if symbols.count < 2 || table.isEmpty { return }
    if symbols.count <= Self.shortWord {
      mergeShort(&symbols, with: table)
    } else {
      mergeLong(&symbols, with: table)
    }
  }

  private mutating func mergeShort(_ symbols: inout [Int32], with table: MergeTable) {
    ranks.removeAll(keepingCapacity: true)
    results.removeAll(keepingCapacity: true)
    for index in 1..<symbols.count {
      let merge = table.merge(symbols[index - 1], symbols[index])
      ranks.append(merge?.rank ?? Self.none)
      results.append(merge?.id ?? 0)
    }
    while true {
      var best = 0
      var bestRank = Self.none
      for index in ranks.indices where ranks[index] < bestRank {
        (best, bestRank) = (index, ranks[index])
      }
      if bestRank == Self.none { return }
      symbols[best] = results[best]
      symbols.remove(at: best + 1)
      ranks.remove(at: best)
      results.remove(at: best)
      if best > 0 { look(at: best - 1, symbols, table) }
      if best < ranks.count { look(at: best, symbols, table) }
    }
  }

  /// Records the merge of the pair that begins at `index`.
  @inline(__always)
  private mutating func look(at index: Int, _ symbols: [Int32], _ table: MergeTable) {
    let merge = table.merge(symbols[index], symbols[index + 1])
    ranks[index] = merge?.rank ?? Self.none
    results[index] = merge?.id ?? 0
  }

  private func mergeLong(_ symbols: inout [Int32], with table: MergeTable) {
    var list = LinkedSymbols(symbols)
    var heap = MinimumHeap()
    for index in 0..<symbols.count - 1 { heap.push(list, index, table) }
    while let (rank, left) = heap.pop() {
      // A neighbour's merge may have changed the pair since it was pushed.
      guard let right = list.next(of: left),
        let merge = table.merge(list.symbols[left], list.symbols[right]), merge.rank == rank
      else { continue }
      list.symbols[left] = merge.id
      list.remove(right)
      heap.push(list, left, table)
      if let previous = list.previous(of: left) { heap.push(list, previous, table) }
    }
    symbols = list.remaining
  }
}

/// The symbols of a word as a doubly linked list.
private struct LinkedSymbols {
  var symbols: [Int32]
  private var nexts: [Int32]
  private var previouses: [Int32]
  /// Marks a removed symbol in `nexts`.
  private static let removed: Int32 = -2

  init(_ symbols: [Int32]) {
    self.symbols = symbols
    let count = Int32(symbols.count)
    nexts = (0..<count).map { $0 + 1 < count ? $0 + 1 : -1 }
    previouses = (0..<count).map { $0 - 1 }
  }

  func next(of index: Int) -> Int? { nexts[index] < 0 ? nil : Int(nexts[index]) }

  func previous(of index: Int) -> Int? { previouses[index] < 0 ? nil : Int(previouses[index]) }

  /// Removes a symbol that has a predecessor.
  mutating func remove(_ index: Int) {
    let (previous, next) = (previouses[index], nexts[index])
    nexts[Int(previous)] = next
    if next >= 0 { previouses[Int(next)] = previous }
    nexts[index] = Self.removed
  }

  var remaining: [Int32] {
    symbols.indices.filter { nexts[$0] != Self.removed }.map { symbols[$0] }
  }
}

/// A heap of pairs to merge, lowest rank first, then leftmost.
private struct MinimumHeap {
  /// The rank in the upper half, the index in the lower.
  private var entries: [UInt64] = []

  /// Adds the pair that begins at `index`, if it can be merged.
  mutating func push(_ list: LinkedSymbols, _ index: Int, _ table: MergeTable) {
    guard let next = list.next(of: index),
      let merge = table.merge(list.symbols[index], list.symbols[next])
    else { return }
    entries.append(UInt64(merge.rank) << 32 | UInt64(index))
    var child = entries.count - 1
    while child > 0, entries[child] < entries[(child - 1) / 2] {
      entries.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  /// Removes the first pair.
  mutating func pop() -> (rank: UInt32, index: Int)? {
    guard let first = entries.first, let last = entries.popLast() else { return nil }
    if !entries.isEmpty {
      entries[0] = last
      sink()
    }
    return (
      UInt32(truncatingIfNeeded: first >> 32), Int(UInt32(truncatingIfNeeded: first))
    )
  }

  private mutating func sink() {
    var parent = 0
    while true {
      var child = 2 * parent + 1
      if child >= entries.count { return }
      if child + 1 < entries.count, entries[child + 1] < entries[child] { child += 1 }
      if entries[parent] <= entries[child] { return }
      entries.swapAt(parent, child)
      parent = child
    }
  }
}
