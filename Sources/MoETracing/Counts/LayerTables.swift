/// A table with a fixed address in memory, so that threads can fill different tables concurrently.
@safe final class CountTable<Element: Numeric> {
  let count: Int
  fileprivate let pointer: UnsafeMutablePointer<Element>

  init(_ count: Int) {
    self.count = count
    unsafe pointer = .allocate(capacity: Swift.max(1, count))
    unsafe pointer.initialize(repeating: 0, count: Swift.max(1, count))
  }

  deinit { unsafe pointer.deallocate() }

  var array: [Element] { unsafe Array(UnsafeBufferPointer(start: pointer, count: count)) }

  /// Adds to an element; the index must be in range, as it is for experts that have been checked.
  @inline(__always)
  func add(_ value: Element, at place: Int) {
    assert(place < count, "\(place) of \(count)")
    unsafe pointer[place] += value
  }
}

extension CountTable<Int> {
  /// Adds 1 to an element, without an overflow check; no count of tokens can overflow.
  @inline(__always)
  func increment(at place: Int) {
    assert(place < count, "\(place) of \(count)")
    unsafe pointer[place] &+= 1
  }
}

/// The tables of one layer, and of the transitions to the next one.
struct LayerTables {
  let experts: Int
  let loads: CountTable<Int>
  let firstLoads: CountTable<Int>
  /// Sums of normalized weights, except for those in ``evenLoads``.
  let weightedLoads: CountTable<Double>
  /// Assignments of tokens that use every slot with equal weights.
  let evenLoads: CountTable<Int>
  let first: CountTable<Int>
  let pairs: CountTable<Int>
  /// Sums of weights; without weights, the correction to ``pairs`` / k² for unused slots.
  let weighted: CountTable<Double>
  /// Pairs of slots, each counted once: the table plus its transpose are the coactivations.
  let coactivations: CountTable<Int>
  /// One number: the weights that are negative or not finite.
  let unusableWeights = CountTable<Int>(1)

  init(experts: Int, tables: RoutingCounts.Tables, hasWeights: Bool, isLast: Bool) {
    func size(_ table: RoutingCounts.Tables) -> Int {
      tables.contains(table) && (!isLast || table == .coactivations) ? experts * experts : 0
    }
    self.experts = experts
    loads = CountTable(experts)
    firstLoads = CountTable(experts)
    weightedLoads = CountTable(experts)
    evenLoads = CountTable(experts)
    first = CountTable(size(.firstTransitions))
    pairs = CountTable(max(size(.pairTransitions), hasWeights ? 0 : size(.weightedTransitions)))
    weighted = CountTable(size(.weightedTransitions))
    coactivations = CountTable(size(.coactivations))
  }

  func countWeights(_ here: LayerChoices) { unusableWeights.add(here.unusableWeights, at: 0) }

  func countLoads(_ here: LayerChoices, isFull: Bool) {
    guard isFull, !here.hasWeights else { return countSparseLoads(here) }
    for token in 0..<here.tokens {
      let experts = unsafe here.row(token)
      unsafe firstLoads.increment(at: Int(experts[0]))
      for slot in 0..<here.k { unsafe evenLoads.increment(at: Int(experts[slot])) }
    }
  }

  private func countSparseLoads(_ here: LayerChoices) {
    let unused = RoutingTraceHeader.unusedSlot
    var shares = [Double](repeating: 0, count: here.k)
    for token in 0..<here.tokens {
      let first = here[token, 0]
      if first != unused { firstLoads.add(1, at: Int(first)) }
      here.shares(token, into: &shares)
      for slot in 0..<here.k {
        let expert = here[token, slot]
        guard expert != unused else { continue }
        loads.add(1, at: Int(expert))
        weightedLoads.add(shares[slot], at: Int(expert))
      }
    }
  }

  func countFirst(_ here: LayerChoices, _ next: LayerChoices) {
    let unused = RoutingTraceHeader.unusedSlot
    for token in 0..<here.tokens {
      let (from, to) = (here[token, 0], next[token, 0])
      guard from != unused, to != unused else { continue }
      first.add(1, at: Int(from) * experts + Int(to))
    }
  }

  /// Counts pairs; if `correcting`, also the correction to ``pairs`` / k² for unused slots.
  func countPairs(
    _ here: LayerChoices, _ next: LayerChoices, areFull: Bool, correcting: Bool
  ) {
    if areFull {
      countFullPairs(here, next)
    } else {
      countSparsePairs(here, next, correcting: correcting)
    }
  }

  private func countFullPairs(_ here: LayerChoices, _ next: LayerChoices) {
    let k = here.k
    for token in 0..<here.tokens {
      let (left, right) = unsafe (here.row(token), next.row(token))
      for i in 0..<k {
        let row = unsafe Int(left[i]) &* experts
        for p in 0..<k { unsafe pairs.increment(at: row &+ Int(right[p])) }
      }
    }
  }

  private func countSparsePairs(
    _ here: LayerChoices, _ next: LayerChoices, correcting: Bool
  ) {
    let (k, unused) = (here.k, RoutingTraceHeader.unusedSlot)
    for token in 0..<here.tokens {
      let pairCount = here.used(token) * next.used(token)
      let correction = 1 / Double(max(1, pairCount)) - 1 / Double(k * k)
      for i in 0..<k where here[token, i] != unused {
        for p in 0..<k where next[token, p] != unused {
          let place = Int(here[token, i]) * experts + Int(next[token, p])
          pairs.add(1, at: place)
          if correcting { weighted.add(correction, at: place) }
        }
      }
    }
  }

  func countWeighted(_ here: LayerChoices, _ next: LayerChoices) {
    let (k, unused) = (here.k, RoutingTraceHeader.unusedSlot)
    var (left, right) = ([Double](repeating: 0, count: k), [Double](repeating: 0, count: k))
    for token in 0..<here.tokens {
      here.shares(token, into: &left)
      next.shares(token, into: &right)
      for i in 0..<k where here[token, i] != unused {
        let row = Int(here[token, i]) * experts
        for p in 0..<k where next[token, p] != unused {
          weighted.add(left[i] * right[p], at: row + Int(next[token, p]))
        }
      }
    }
  }

  func countCoactivations(_ here: LayerChoices, isFull: Bool) {
    let (k, unused) = (here.k, RoutingTraceHeader.unusedSlot)
    for token in 0..<here.tokens {
      let chosen = unsafe here.row(token)
      for i in 1..<max(1, k) where unsafe isFull || chosen[i] != unused {
        let row = unsafe Int(chosen[i]) &* experts
        for p in 0..<i where unsafe isFull || chosen[p] != unused {
          unsafe coactivations.increment(at: row &+ Int(chosen[p]))
        }
      }
    }
  }

  /// Assignments over all slots.
  var allLoads: [Int] { zip(loads.array, evenLoads.array).map { $0 + $1 } }

  /// Sums of normalized weights.
  func allWeightedLoads(k: Int) -> [Double] {
    zip(weightedLoads.array, evenLoads.array).map { $0 + Double($1) / Double(k) }
  }

  /// The number of tokens that chose both of two experts.
  var allCoactivations: [Int] {
    let half = coactivations.array
    var result = [Int](repeating: 0, count: half.count)
    for i in 0..<(half.isEmpty ? 0 : experts) {
      for p in 0..<experts where p != i {
        result[i * experts + p] = half[i * experts + p] + half[p * experts + i]
      }
    }
    return result
  }

  /// The weighted transitions, however they were counted.
  func weightedArray(k: Int, hasWeights: Bool) -> [Double] {
    guard !hasWeights else { return weighted.array }
    let share = 1 / Double(k * k)
    return zip(pairs.array, weighted.array).map { Double($0) * share + $1 }
  }
}
