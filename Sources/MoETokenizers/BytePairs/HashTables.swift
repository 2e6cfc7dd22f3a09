/// Prevents crafted input from filling one bucket; results never depend on it.
private let hashSeed = UInt64.random(in: .min ... .max) | 1

/// Mixes all bits of a key into the upper bits.
@inline(__always)
private func mixed(_ key: UInt64) -> UInt64 {
  let product = (key ^ hashSeed) &* 0x9E37_79B9_7F4A_7C15
  return (product ^ (product >> 32)) &* hashSeed
}

/// Hashes the bytes of a range.
@inline(__always)
func hashBytes(_ bytes: Span<UInt8>, _ range: Range<Int>) -> UInt64 {
  var hash = hashSeed
  for index in range {
    hash = (hash ^ UInt64(bytes[index])) &* 0x0000_0100_0000_01B3
  }
  return mixed(hash)
}

/// A hash table from pairs of numbers below 2³² to 64-bit values: open addressing, at most half
/// full.
///
/// Lookups and insertions take O(1) expected time.
struct PairTable: Sendable {
  private static let empty = UInt64.max
  private var keys: [UInt64]
  private var values: [UInt64]
  private var shift: UInt64
  /// The number of pairs.
  private(set) var count = 0

  init(capacity: Int = 0) {
    var bits = 4
    while 1 << bits < capacity * 2 { bits += 1 }
    keys = Array(repeating: Self.empty, count: 1 << bits)
    values = Array(repeating: 0, count: 1 << bits)
    shift = UInt64(64 - bits)
  }

  /// The key of a pair; neither may be `UInt32.max`.
  @inline(__always)
  static func key(_ left: UInt32, _ right: UInt32) -> UInt64 { UInt64(left) << 32 | UInt64(right) }

  /// The slot of `key`, or where it would be inserted.
  @inline(__always)
  private func slot(_ key: UInt64) -> Int {
    var slot = Int(truncatingIfNeeded: mixed(key) >> shift)
    while keys[slot] != key && keys[slot] != Self.empty { slot = (slot + 1) & (keys.count - 1) }
    return slot
  }

  /// The value of a key; setting replaces an existing value.
  subscript(key: UInt64) -> UInt64? {
    @inline(__always) get {
      let slot = slot(key)
      return keys[slot] == key ? values[slot] : nil
    }
    set {
      guard let newValue else { return }
      if (count + 1) * 2 > keys.count { grow() }
      let slot = slot(key)
      if keys[slot] != key { count += 1 }
      keys[slot] = key
      values[slot] = newValue
    }
  }

  private mutating func grow() {
    var larger = PairTable(capacity: keys.count)
    for (key, value) in zip(keys, values) where key != Self.empty { larger[key] = value }
    self = larger
  }
}

/// A hash table from byte strings, stored in one pool, to ids: open addressing, at most half full.
///
/// Lookups take O(length) expected time and allocate no memory.
struct TokenTable: Sendable {
  private var pool: [UInt8] = []
  private var starts: [Int] = [0]
  private var ids: [Int32] = []
  private var slots: [Int32]
  private var shift: UInt64

  init(capacity: Int = 0) {
    var bits = 4
    while 1 << bits < capacity * 2 { bits += 1 }
    slots = Array(repeating: -1, count: 1 << bits)
    shift = UInt64(64 - bits)
  }

  /// The number of strings.
  var count: Int { ids.count }

  /// The bytes of the string with index `entry`.
  func bytes(_ entry: Int) -> ArraySlice<UInt8> { pool[starts[entry]..<starts[entry + 1]] }

  /// Adds a string; if it exists, returns its id and changes nothing.
  mutating func insert(_ bytes: [UInt8], id: Int32) -> Int32? {
    let slot = slot(bytes.span, 0..<bytes.count)
    if slots[slot] >= 0 { return ids[Int(slots[slot])] }
    slots[slot] = Int32(count)
    pool.append(contentsOf: bytes)
    starts.append(pool.count)
    ids.append(id)
    if count * 2 > slots.count { grow() }
    return nil
  }

  /// The id of the bytes of a range.
  func id(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int32? {
    let entry = slots[slot(bytes, range)]
    return entry < 0 ? nil : ids[Int(entry)]
  }

  /// The id of a byte string.
  func id(_ bytes: [UInt8]) -> Int32? { id(bytes.span, 0..<bytes.count) }

  private func slot(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Int {
    var slot = Int(truncatingIfNeeded: hashBytes(bytes, range) >> shift)
    while slots[slot] >= 0, !holds(Int(slots[slot]), bytes, range) {
      slot = (slot + 1) & (slots.count - 1)
    }
    return slot
  }

  private func holds(_ entry: Int, _ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    let start = starts[entry]
    guard starts[entry + 1] - start == range.count else { return false }
    for offset in 0..<range.count where pool[start + offset] != bytes[range.lowerBound + offset] {
      return false
    }
    return true
  }

  private mutating func grow() {
    slots = Array(repeating: -1, count: slots.count * 2)
    shift -= 1
    for entry in 0..<count {
      let range = starts[entry]..<starts[entry + 1]
      var slot = Int(truncatingIfNeeded: hashBytes(pool.span, range) >> shift)
      while slots[slot] >= 0 { slot = (slot + 1) & (slots.count - 1) }
      slots[slot] = Int32(entry)
    }
  }
}
