/// A trie of byte strings with values, which finds the longest match at a position in one pass.
struct ByteTrie: Sendable {
  /// The children of nodes, by node and byte.
  private var children = PairTable()
  /// The value of the string that ends at each node, or -1.
  private var values: [Int32] = [-1]
  /// Whether any string begins with a byte.
  private var begins = [Bool](repeating: false, count: 256)

  /// Adds a non-empty string, replacing the value of an equal one.
  mutating func insert(_ bytes: some Sequence<UInt8>, value: Int32) {
    var node: UInt32 = 0
    for byte in bytes {
      if node == 0 { begins[Int(byte)] = true }
      node = child(of: node, byte)
    }
    if node != 0 { values[Int(node)] = value }
  }

  private mutating func child(of node: UInt32, _ byte: UInt8) -> UInt32 {
    let key = PairTable.key(node, UInt32(byte))
    if let known = children[key] { return UInt32(truncatingIfNeeded: known) }
    let new = UInt32(values.count)
    values.append(-1)
    children[key] = UInt64(new)
    return new
  }

  /// Whether any string begins with this byte.
  @inline(__always)
  func mayBegin(with byte: UInt8) -> Bool { begins[Int(byte)] }

  /// The longest string that begins at `start` and ends at or before `limit`.
  ///
  /// - Complexity: O(length of the longest string).
  func longest(
    _ text: Span<UInt8>, at start: Int, limit: Int
  ) -> (value: Int32, end: Int)? {
    var node: UInt32 = 0
    var best: (Int32, Int)?
    for position in start..<limit {
      guard let child = children[PairTable.key(node, UInt32(text[position]))] else { break }
      node = UInt32(truncatingIfNeeded: child)
      let value = values[Int(node)]
      if value >= 0 { best = (value, position + 1) }
    }
    return best
  }
}
