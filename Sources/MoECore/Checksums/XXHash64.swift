/// The 64-bit hash xxHash, which detects damage at memory speed; not for cryptography.
///
/// Four independent lanes of eight bytes each keep the multipliers of a processor busy.
///
/// - SeeAlso: Collet, [xxHash fast digest
///   algorithm](https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md), version 0.1.1,
///   XXH64 with seed 0.
public struct XXHash64: Sendable {
  private static let primes: (UInt64, UInt64, UInt64, UInt64, UInt64) = (
    0x9E37_79B1_85EB_CA87, 0xC2B2_AE3D_27D4_EB4F, 0x1656_67B1_9E37_79F9, 0x85EB_CA77_C2B2_AE63,
    0x27D4_EB2F_1656_67C5
  )
  private var lanes: (UInt64, UInt64, UInt64, UInt64) = (
    Self.primes.0 &+ Self.primes.1, Self.primes.1, 0, 0 &- Self.primes.0
  )
  /// Bytes that do not yet fill a stripe of 32.
  private var rest: [UInt8] = []
  private var count = 0

  /// Starts with no bytes.
  public init() {}

  /// Adds bytes.
  ///
  /// - Complexity: O(bytes).
  public mutating func update(_ bytes: RawSpan) {
    count += bytes.byteCount
    var start = 0
    if !rest.isEmpty {
      start = min(32 - rest.count, bytes.byteCount)
      for place in 0..<start { rest.append(Self.byte(bytes, place)) }
      guard rest.count == 32 else { return }
      let stripe = rest
      unsafe absorb(stripe.span.bytes, from: 0)
      rest = []
    }
    let end = start + (bytes.byteCount - start) / 32 * 32
    absorb(bytes, from: start)
    for place in end..<bytes.byteCount { rest.append(Self.byte(bytes, place)) }
  }

  /// The hash of all bytes so far.
  public var value: UInt64 {
    let p = Self.primes
    var hash: UInt64
    if count >= 32 {
      hash =
        Self.turned(lanes.0, 1) &+ Self.turned(lanes.1, 7) &+ Self.turned(lanes.2, 12)
        &+ Self.turned(lanes.3, 18)
      for lane in [lanes.0, lanes.1, lanes.2, lanes.3] {
        hash = (hash ^ Self.mixed(0, lane)) &* p.0 &+ p.3
      }
    } else {
      hash = p.4
    }
    hash &+= UInt64(count)
    var left = rest[...]
    while left.count >= 8 {
      hash = Self.turned(hash ^ Self.mixed(0, Self.number(left.prefix(8))), 27) &* p.0 &+ p.3
      left = left.dropFirst(8)
    }
    if left.count >= 4 {
      hash = Self.turned(hash ^ Self.number(left.prefix(4)) &* p.0, 23) &* p.1 &+ p.2
      left = left.dropFirst(4)
    }
    for byte in left { hash = Self.turned(hash ^ UInt64(byte) &* p.4, 11) &* p.0 }
    hash = (hash ^ hash >> 33) &* p.1
    hash = (hash ^ hash >> 29) &* p.2
    return hash ^ hash >> 32
  }

  /// Processes whole stripes of 32 bytes.
  private mutating func absorb(_ bytes: RawSpan, from start: Int) {
    var (a, b, c, d) = lanes
    var place = start
    while place + 32 <= bytes.byteCount {
      a = Self.mixed(a, Self.word(bytes, place))
      b = Self.mixed(b, Self.word(bytes, place + 8))
      c = Self.mixed(c, Self.word(bytes, place + 16))
      d = Self.mixed(d, Self.word(bytes, place + 24))
      place += 32
    }
    lanes = (a, b, c, d)
  }

  @inline(__always)
  private static func mixed(_ lane: UInt64, _ word: UInt64) -> UInt64 {
    turned(lane &+ word &* primes.1, 31) &* primes.0
  }

  @inline(__always)
  private static func turned(_ word: UInt64, _ bits: UInt64) -> UInt64 {
    word << bits | word >> (64 - bits)
  }

  @inline(__always)
  private static func word(_ bytes: RawSpan, _ place: Int) -> UInt64 {
    UInt64(littleEndian: unsafe bytes.unsafeLoadUnaligned(fromByteOffset: place, as: UInt64.self))
  }

  private static func byte(_ bytes: RawSpan, _ place: Int) -> UInt8 {
    unsafe bytes.unsafeLoad(fromByteOffset: place, as: UInt8.self)
  }

  private static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}
