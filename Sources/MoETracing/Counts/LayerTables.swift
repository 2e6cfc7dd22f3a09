/// Numbers with a fixed place in memory, so that threads can fill tables beside one another.
final class CountTable<Element: Numeric> {
  let count: Int
  let pointer: UnsafeMutablePointer<Element>

  init(_ count: Int) {
    self.count = count
    unsafe pointer = .allocate(capacity: Swift.max(1, count))
    unsafe pointer.initialize(repeating: 0, count: Swift.max(1, count))
  }

  deinit { unsafe pointer.deallocate() }

  var array: [Element] { unsafe Array(UnsafeBufferPointer(start: pointer, count: count)) }
}

/// The tables of one layer, and of the transitions from it to the next one.
struct LayerTables {
  let experts: Int
  let loads: CountTable<Int>
  let firstLoads: CountTable<Int>
  let weightedLoads: CountTable<Double>
  let first: CountTable<Int>
  let pairs: CountTable<Int>
  /// Sums of weights; without weights, what equal shares of unused slots add to ``pairs`` over k².
  let weighted: CountTable<Double>
  let coactivations: CountTable<Int>

  init(experts: Int, tables: RoutingCounts.Tables, hasWeights: Bool, isLast: Bool) {
    func size(_ table: RoutingCounts.Tables) -> Int {
      tables.contains(table) && (!isLast || table == .coactivations) ? experts * experts : 0
    }
    self.experts = experts
    loads = CountTable(experts)
    firstLoads = CountTable(experts)
    weightedLoads = CountTable(experts)
    first = CountTable(size(.firstTransitions))
    pairs = CountTable(max(size(.pairTransitions), hasWeights ? 0 : size(.weightedTransitions)))
    weighted = CountTable(size(.weightedTransitions))
    coactivations = CountTable(size(.coactivations))
  }

  func countLoads(_ here: LayerChoices) {
    let unused = RoutingTraceHeader.unusedSlot
    var shares = [Double](repeating: 0, count: unsafe here.k)
    let isUniform = unsafe here.weights == nil
    for token in 0..<(unsafe here.tokens) {
      let row = unsafe here.experts + token * here.width
      if unsafe row[0] != unused { unsafe firstLoads.pointer[Int(row[0])] += 1 }
      for slot in 0..<(unsafe here.k) where unsafe row[slot] != unused {
        unsafe loads.pointer[Int(row[slot])] += 1
      }
      if isUniform {
        let used = unsafe here.used(token)
        let share = 1 / Double(Swift.max(1, used))
        for slot in 0..<(unsafe here.k) where unsafe row[slot] != unused {
          unsafe weightedLoads.pointer[Int(row[slot])] += share
        }
      } else {
        unsafe here.shares(token, into: &shares)
        for slot in 0..<(unsafe here.k) where unsafe row[slot] != unused {
          unsafe weightedLoads.pointer[Int(row[slot])] += shares[slot]
        }
      }
    }
  }

  func countFirst(_ here: LayerChoices, _ next: LayerChoices) {
    let unused = RoutingTraceHeader.unusedSlot
    for token in 0..<(unsafe here.tokens) {
      let from = unsafe here.experts[token * here.width]
      let to = unsafe next.experts[token * next.width]
      guard from != unused, to != unused else { continue }
      unsafe first.pointer[Int(from) * experts + Int(to)] += 1
    }
  }

  /// Counts pairs; if asked to, also what makes ``pairs`` over k² the sum of equal shares.
  func countPairs(_ here: LayerChoices, _ next: LayerChoices, correcting: Bool) {
    if unsafe here.isFull, unsafe next.isFull {
      unsafe countFullPairs(here, next)
    } else {
      unsafe countSparsePairs(here, next, correcting: correcting)
    }
  }

  private func countFullPairs(_ here: LayerChoices, _ next: LayerChoices) {
    let (k, width, table) = unsafe (here.k, here.width, pairs.pointer)
    for token in 0..<(unsafe here.tokens) {
      let from = unsafe here.experts + token * width
      let to = unsafe next.experts + token * width
      for i in 0..<k {
        let row = unsafe table + Int(from[i]) * experts
        for p in 0..<k { unsafe row[Int(to[p])] &+= 1 }
      }
    }
  }

  private func countSparsePairs(
    _ here: LayerChoices, _ next: LayerChoices, correcting: Bool
  ) {
    let (k, unused) = unsafe (here.k, RoutingTraceHeader.unusedSlot)
    for token in 0..<(unsafe here.tokens) {
      let from = unsafe here.experts + token * here.width
      let to = unsafe next.experts + token * next.width
      let pairCount = unsafe here.used(token) * next.used(token)
      let correction = 1 / Double(Swift.max(1, pairCount)) - 1 / Double(k * k)
      for i in 0..<k where unsafe from[i] != unused {
        for p in 0..<k where unsafe to[p] != unused {
          let place = unsafe Int(from[i]) * experts + Int(to[p])
          unsafe pairs.pointer[place] += 1
          if correcting { unsafe weighted.pointer[place] += correction }
        }
      }
    }
  }

  func countWeighted(_ here: LayerChoices, _ next: LayerChoices) {
    let (k, unused) = unsafe (here.k, RoutingTraceHeader.unusedSlot)
    var (left, right) = ([Double](repeating: 0, count: k), [Double](repeating: 0, count: k))
    for token in 0..<(unsafe here.tokens) {
      let from = unsafe here.experts + token * here.width
      let to = unsafe next.experts + token * next.width
      unsafe here.shares(token, into: &left)
      unsafe next.shares(token, into: &right)
      for i in 0..<k where unsafe from[i] != unused {
        let row = unsafe weighted.pointer + Int(from[i]) * experts
        for p in 0..<k where unsafe to[p] != unused {
          unsafe row[Int(to[p])] += left[i] * right[p]
        }
      }
    }
  }

  func countCoactivations(_ here: LayerChoices) {
    let (k, unused) = unsafe (here.k, RoutingTraceHeader.unusedSlot)
    for token in 0..<(unsafe here.tokens) {
      let row = unsafe here.experts + token * here.width
      for i in 0..<k where unsafe row[i] != unused {
        for p in 0..<k where p != i && (unsafe row[p] != unused) && (unsafe row[p] != row[i]) {
          unsafe coactivations.pointer[Int(row[i]) * experts + Int(row[p])] += 1
        }
      }
    }
  }

  /// The weighted transitions, whichever way they were counted.
  func weightedArray(k: Int, hasWeights: Bool) -> [Double] {
    guard !hasWeights else { return weighted.array }
    let share = 1 / Double(k * k)
    return zip(pairs.array, weighted.array).map { Double($0) * share + $1 }
  }
}
