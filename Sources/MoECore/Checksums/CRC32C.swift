/// The CRC-32C checksum (Castagnoli's polynomial), which detects damage, not forgery.
///
/// Processes eight bytes at a time with eight tables ("slicing by 8").
///
/// - SeeAlso: [RFC 3720](https://www.rfc-editor.org/rfc/rfc3720), appendix B.4, for test vectors.
public struct CRC32C: Hashable, Sendable {
  private var register = UInt32.max

  /// Starts with no bytes.
  public init() {}

  /// The checksum of all bytes so far.
  public var value: UInt32 { ~register }

  /// The checksum of some bytes.
  public static func checksum(_ bytes: [UInt8]) -> UInt32 {
    var sum = CRC32C()
    unsafe sum.update(bytes.span.bytes)
    return sum.value
  }

  /// Adds bytes.
  ///
  /// - Complexity: O(bytes).
  public mutating func update(_ bytes: RawSpan) {
    let tables = Self.tables
    let table = tables.span
    var crc = register
    var offset = 0
    while offset + 8 <= bytes.byteCount {
      let word = unsafe bytes.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt64.self)
      let mixed = UInt64(littleEndian: word) ^ UInt64(crc)
      var next: UInt32 = 0
      for place in 0..<8 {
        next ^= table[(7 - place) << 8 | Int(mixed >> (8 * UInt64(place)) & 0xFF)]
      }
      crc = next
      offset += 8
    }
    while offset < bytes.byteCount {
      let byte = unsafe bytes.unsafeLoad(fromByteOffset: offset, as: UInt8.self)
      crc = crc >> 8 ^ table[Int((crc ^ UInt32(byte)) & 0xFF)]
      offset += 1
    }
    register = crc
  }

  /// `tables[slice · 256 + byte]`: the effect of a byte that is followed by `slice` bytes.
  private static let tables: [UInt32] = {
    var tables = (0..<256).map { byte in
      (0..<8).reduce(UInt32(byte)) { crc, _ in crc >> 1 ^ (crc & 1 == 1 ? 0x82F6_3B78 : 0) }
    }
    for slice in 1..<8 {
      for byte in 0..<256 {
        let shorter = tables[(slice - 1) << 8 | byte]
        tables.append(shorter >> 8 ^ tables[Int(shorter & 0xFF)])
      }
    }
    return tables
  }()
}
