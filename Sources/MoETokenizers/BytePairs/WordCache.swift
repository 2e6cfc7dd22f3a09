/// The ids of words met before, in bounded memory: a word's place follows from its hash, and a newer word
/// takes the place of an older one.
struct WordCache {
  /// Longest word that is kept, in bytes.
  static let longestWord = 64
  private static let slotCount = 1 << 15
  /// When the pools are this long, everything is forgotten.
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

  /// Adds the ids of a word, if they are known.
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

  /// Keeps the ids of a word of at most ``longestWord`` bytes and 2¹⁶ − 1 ids.
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

/// What one call of `encode` works with; kept between calls, never shared by two at a time.
struct EncodingScratch {
  var cache = WordCache()
  var merger = SymbolMerger()
  var symbols: [Int32] = []
}
