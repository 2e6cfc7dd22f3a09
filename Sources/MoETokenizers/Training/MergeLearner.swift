/// Learns merges: repeatedly turns the most frequent pair of neighbours into a new symbol.
///
/// Of equally frequent pairs the one with the lower left symbol goes first, then the one with the
/// lower right symbol. Only words that contain the pair are visited, so the cost of a merge is
/// proportional to its changes.
struct MergeLearner {
  /// A pair of neighbouring symbols.
  private struct Pair {
    let left: Int32
    let right: Int32
    var count = 0
    /// Words that contain it, or did at some point.
    var words: [Int32] = []
  }

  /// A pair and its count when it was queued.
  private struct Candidate {
    let count: Int
    let left: Int32
    let right: Int32
    let pair: Int

    /// Whether this pair is merged before `other`.
    func precedes(_ other: Candidate) -> Bool {
      if count != other.count { return count > other.count }
      return (left, right) < (other.left, other.right)
    }
  }

  private var words: [[Int32]]
  private let counts: [Int]
  private var pairs: [Pair] = []
  private var indexOfPair = PairTable(capacity: 1 << 16)
  private var queue = PriorityQueue<Candidate> { $0.precedes($1) }
  /// Pairs whose count has increased since they were queued.
  private var grown: [Int] = []

  /// Creates a learner from words as lists of symbols.
  init(words: [[Int32]], counts: [Int]) {
    self.words = words
    self.counts = counts
    for (index, word) in words.enumerated() {
      for (left, right) in zip(word, word.dropFirst()) {
        change(left, right, by: counts[index], in: index)
      }
    }
    enqueueGrown()
  }

  /// Removes the most frequent pair from the queue, if it occurs at least `minimum` times.
  mutating func next(minimum: Int) -> (left: Int32, right: Int32)? {
    while let candidate = queue.pop() {
      let current = pairs[candidate.pair].count
      if current == candidate.count {
        return current >= max(minimum, 1) ? (candidate.left, candidate.right) : nil
      }
      if current > 0 { enqueue(candidate.pair) }
    }
    return nil
  }

  /// Replaces every occurrence of a pair by `symbol`.
  mutating func merge(_ left: Int32, _ right: Int32, into symbol: Int32) {
    guard let index = index(left, right) else { return }
    let holders = pairs[index].words
    pairs[index].words = []
    for word in holders { merge(left, right, into: symbol, in: Int(word)) }
    // Overlapping occurrences, as in "aaa", were counted more than once.
    pairs[index].count = 0
    enqueueGrown()
  }

  private mutating func merge(
    _ left: Int32, _ right: Int32, into symbol: Int32, in index: Int
  ) {
    let word = words[index]
    let count = counts[index]
    var result: [Int32] = []
    result.reserveCapacity(word.count)
    var position = 0
    while position < word.count {
      guard word[position] == left, position + 1 < word.count, word[position + 1] == right else {
        result.append(word[position])
        position += 1
        continue
      }
      if let previous = result.last {
        change(previous, left, by: -count, in: index)
        change(previous, symbol, by: count, in: index)
      }
      if position + 2 < word.count {
        change(right, word[position + 2], by: -count, in: index)
        change(symbol, word[position + 2], by: count, in: index)
      }
      result.append(symbol)
      position += 2
    }
    words[index] = result
  }

  // MARK: Counts

  private func index(_ left: Int32, _ right: Int32) -> Int? {
    indexOfPair[Self.key(left, right)].map { Int($0) }
  }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    PairTable.key(UInt32(bitPattern: left), UInt32(bitPattern: right))
  }

  private mutating func change(_ left: Int32, _ right: Int32, by amount: Int, in word: Int) {
    var index = index(left, right) ?? -1
    if index < 0 {
      index = pairs.count
      pairs.append(Pair(left: left, right: right))
      indexOfPair[Self.key(left, right)] = UInt64(index)
    }
    pairs[index].count += amount
    guard amount > 0 else { return }
    if pairs[index].words.last != Int32(word) { pairs[index].words.append(Int32(word)) }
    grown.append(index)
  }

  private mutating func enqueueGrown() {
    for pair in Set(grown) where pairs[pair].count > 0 { enqueue(pair) }
    grown.removeAll(keepingCapacity: true)
  }

  private mutating func enqueue(_ index: Int) {
    let pair = pairs[index]
    queue.push(Candidate(count: pair.count, left: pair.left, right: pair.right, pair: index))
  }
}

/// A binary heap whose first element precedes all others.
private struct PriorityQueue<Element> {
  private var elements: [Element] = []
  private let precedes: (Element, Element) -> Bool

  init(_ precedes: @escaping (Element, Element) -> Bool) { self.precedes = precedes }

  mutating func push(_ element: Element) {
    elements.append(element)
    var child = elements.count - 1
    while child > 0, precedes(elements[child], elements[(child - 1) / 2]) {
      elements.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  mutating func pop() -> Element? {
    guard let first = elements.first, let last = elements.popLast() else { return nil }
    guard !elements.isEmpty else { return first }
    elements[0] = last
    var parent = 0
    while true {
      var child = 2 * parent + 1
      if child >= elements.count { return first }
      if child + 1 < elements.count, precedes(elements[child + 1], elements[child]) { child += 1 }
      if !precedes(elements[child], elements[parent]) { return first }
      elements.swapAt(parent, child)
      parent = child
    }
  }
}
