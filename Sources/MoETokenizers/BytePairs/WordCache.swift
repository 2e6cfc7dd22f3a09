/// A bounded cache of the ids of words: a word's slot follows from its hash, and newer words
/// replace older ones.
struct WordCache {
  /// The longest cached word, in bytes.
  static let longestWord = 64
  private static let slotCount = 1 << 15
  /// When the pools reach this length, the cache is cleared.
  private static let poolLimit = 1 << 20

  private struct Slot {
    var hash: UInt64 = 0
    var key: UInt32 = 0
    var ids: UInt32 = 0
    var keyCount: UInt16 = 0
    var idCount: UInt16 = 0
  }

  private var slots = [Slot](repeating: Slot(), count: slotCount)
  private var keys: [UInt8] = []
  private var ids: [Int32] = []

  /// Appends the ids of a word, if cached.
  @inline(__always)
  func append(
    _ bytes: Span<UInt8>, _ range: Range<Int>, hash: UInt64, to output: inout [Int]
  ) -> Bool {
    let slot = slots[Int(truncatingIfNeeded: hash >> 40) & (Self.slotCount - 1)]
    guard slot.hash == hash, Int(slot.keyCount) == range.count else { return false }
    let start = Int(slot.key)
    for offset in 0..<range.count where keys[start + offset] != bytes[range.lowerBound + offset] {
      return false
    }
    let first = Int(slot.ids)
    for index in first..<first + Int(slot.idCount) { output.append(Int(ids[index])) }
    return true
  }

  /// Caches the ids of a word of at most ``longestWord`` bytes and 2¹⁶ − 1 ids.
  mutating func insert(
    _ bytes: Span<UInt8>, _ range: Range<Int>, hash: UInt64, _ symbols: some Collection<Int32>
  ) {
    guard range.count <= Self.longestWord, symbols.count < 1 << 16 else { return }
    if keys.count > Self.poolLimit || ids.count > Self.poolLimit { removeAll() }
    slots[Int(truncatingIfNeeded: hash >> 40) & (Self.slotCount - 1)] = Slot(
      hash: hash, key: UInt32(keys.count), ids: UInt32(ids.count),
      keyCount: UInt16(range.count), idCount: UInt16(symbols.count))
    for index in range { keys.append(bytes[index]) }
    ids.append(contentsOf: symbols)
  }

  private mutating func removeAll() {
    for index in slots.indices { slots[index] = Slot() }
    keys.removeAll(keepingCapacity: true)
    ids.removeAll(keepingCapacity: true)
  }
}

/// The working memory of one call of `encode`; reused by later calls, never shared concurrently.
struct EncodingScratch {
  var cache = WordCache()
  var merger = SymbolMerger()
  var symbols: [Int32] = []
}
