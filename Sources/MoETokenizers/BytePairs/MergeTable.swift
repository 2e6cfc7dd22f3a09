/// Which pairs of tokens are merged, in order of priority.
struct MergeTable: Sendable {
  private var table: PairTable

  /// The merge of a pair.
  struct Merge {
    /// Index in the list of merges; lower goes first.
    let rank: UInt32
    /// The resulting token.
    let id: Int32
  }

  init(capacity: Int = 0) { table = PairTable(capacity: capacity) }

  var isEmpty: Bool { table.count == 0 }

  /// Adds a merge of two tokens into `id`, replacing an earlier merge of the same pair.
  mutating func insert(_ left: Int32, _ right: Int32, rank: Int, id: Int32) {
    table[Self.key(left, right)] = UInt64(rank) << 32 | UInt64(UInt32(bitPattern: id))
  }

  /// The merge of two neighbours.
  @inline(__always)
  func merge(_ left: Int32, _ right: Int32) -> Merge? {
    guard let value = table[Self.key(left, right)] else { return nil }
    return Merge(
      rank: UInt32(truncatingIfNeeded: value >> 32),
      id: Int32(bitPattern: UInt32(truncatingIfNeeded: value)))
  }

  @inline(__always)
  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    PairTable.key(UInt32(bitPattern: left), UInt32(bitPattern: right))
  }
}
