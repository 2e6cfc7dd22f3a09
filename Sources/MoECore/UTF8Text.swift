/// Checks of bytes that should be UTF-8.
public enum UTF8Text {
  /// The position of the first byte that is not part of valid UTF-8, or `nil` if there is none.
  ///
  /// - Complexity: O(bytes), without copying them.
  public static func firstInvalidByte(in bytes: RawSpan) -> Int? {
    var place = 0
    let end = bytes.byteCount
    while place < end {
      if place + 8 <= end,
        unsafe bytes.unsafeLoadUnaligned(fromByteOffset: place, as: UInt64.self)
          & 0x8080_8080_8080_8080 == 0
      {
        place += 8
        continue
      }
      let length = scalarLength(in: bytes, at: place)
      if length == 0 { return place }
      place += length
    }
    return nil
  }

  /// The number of bytes of the scalar at a position; 0 if none begins there.
  private static func scalarLength(in bytes: RawSpan, at place: Int) -> Int {
    func byte(_ offset: Int) -> UInt8 {
      place + offset < bytes.byteCount
        ? unsafe bytes.unsafeLoad(fromByteOffset: place + offset, as: UInt8.self) : 0
    }
    let (first, second) = (byte(0), byte(1))
    // Unicode, table 3-7: the second byte's range depends on the first.
    let (length, range): (Int, ClosedRange<UInt8>) =
      switch first {
      case 0x00...0x7F: (1, 0...0xFF)
      case 0xC2...0xDF: (2, 0x80...0xBF)
      case 0xE0: (3, 0xA0...0xBF)
      case 0xED: (3, 0x80...0x9F)
      case 0xE1...0xEF: (3, 0x80...0xBF)
      case 0xF0: (4, 0x90...0xBF)
      case 0xF1...0xF3: (4, 0x80...0xBF)
      case 0xF4: (4, 0x80...0x8F)
      default: (0, 0...0)
      }
    guard length > 1 else { return length }
    guard range.contains(second) else { return 0 }
    for offset in 2..<max(2, length) where byte(offset) & 0xC0 != 0x80 { return 0 }
    return length
  }
}
