/// Bytes of a Protocol Buffers message, field by field.
///
/// - SeeAlso: [Encoding](https://protobuf.dev/programming-guides/encoding/).
struct ProtobufMessage {
  private(set) var bytes: [UInt8] = []

  /// Adds an integer.
  mutating func append(_ field: Int, integer: Int64) {
    append(key: field, type: 0)
    append(varint: UInt64(bitPattern: integer))
  }

  /// Adds a 64-bit number.
  mutating func append(_ field: Int, double: Double) {
    append(key: field, type: 1)
    bytes += (0..<8).map { UInt8(truncatingIfNeeded: double.bitPattern >> (8 * UInt64($0))) }
  }

  /// Adds a 32-bit number.
  mutating func append(_ field: Int, float: Float) {
    append(key: field, type: 5)
    bytes += (0..<4).map { UInt8(truncatingIfNeeded: float.bitPattern >> (8 * UInt32($0))) }
  }

  /// Adds text.
  mutating func append(_ field: Int, text: String) { append(field, content: Array(text.utf8)) }

  /// Adds a message.
  mutating func append(_ field: Int, message: ProtobufMessage) {
    append(field, content: message.bytes)
  }

  private mutating func append(_ field: Int, content: [UInt8]) {
    append(key: field, type: 2)
    append(varint: UInt64(content.count))
    bytes += content
  }

  private mutating func append(key field: Int, type: UInt64) {
    append(varint: UInt64(field) << 3 | type)
  }

  private mutating func append(varint value: UInt64) {
    var rest = value
    while rest >= 0x80 {
      bytes.append(UInt8(truncatingIfNeeded: rest) | 0x80)
      rest >>= 7
    }
    bytes.append(UInt8(rest))
  }
}
