extension Span<UInt8> {
  /// The code point that begins at `position`, and its length in bytes.
  ///
  /// A byte that does not begin a valid sequence before `limit` counts as U+FFFD of length 1.
  @inline(__always)
  func scalar(at position: Int, limit: Int) -> (value: UInt32, length: Int) {
    let first = UInt32(self[position])
    if first < 0x80 { return (first, 1) }
    return multibyteScalar(first, at: position, limit: limit)
  }

  private func multibyteScalar(
    _ first: UInt32, at position: Int, limit: Int
  ) -> (value: UInt32, length: Int) {
    let invalid: (UInt32, Int) = (0xFFFD, 1)
    let length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2
    guard first >= 0xC2, first <= 0xF4, position + length <= limit else { return invalid }
    var value = first & (0x7F >> UInt32(length))
    for offset in 1..<length {
      let byte = UInt32(self[position + offset])
      guard byte & 0xC0 == 0x80 else { return invalid }
      value = value << 6 | byte & 0x3F
    }
    let smallest: UInt32 = length == 4 ? 0x10000 : length == 3 ? 0x800 : 0x80
    guard value >= smallest, value <= 0x10FFFF, value & 0xFFFFF800 != 0xD800 else { return invalid }
    return (value, length)
  }

  /// Calls `body` with each code point and its range.
  @inline(__always)
  func forEachScalar(in range: Range<Int>, _ body: (Unicode.Scalar, Range<Int>) -> Void) {
    var position = range.lowerBound
    while position < range.upperBound {
      let (value, length) = scalar(at: position, limit: range.upperBound)
      body(Unicode.Scalar(value) ?? "\u{FFFD}", position..<position + length)
      position += length
    }
  }

  /// Whether `bytes` occur at a position.
  func holds(_ bytes: [UInt8], at position: Int, limit: Int) -> Bool {
    guard position + bytes.count <= limit else { return false }
    for index in bytes.indices where self[position + index] != bytes[index] { return false }
    return true
  }
}

extension [UInt8] {
  /// Appends the UTF-8 encoding of a code point.
  mutating func append(scalar: Unicode.Scalar) {
    UTF8.encode(scalar) { append($0) }
  }

  /// Calls `body` with each code point and its range.
  @inline(__always)
  func forEachScalar(in range: Range<Int>, _ body: (Unicode.Scalar, Range<Int>) -> Void) {
    span.forEachScalar(in: range, body)
  }
}
