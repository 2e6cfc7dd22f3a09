/// The bytes of a GGUF file, assembled part by part so that each can be wrong.
package struct GGUFBytes {
  package var magic = Array("GGUF".utf8)
  package var version: UInt32 = 3
  /// Claimed number of tensors; `nil` for the true one.
  package var tensorCount: UInt64?
  /// Claimed number of keys; `nil` for the true one.
  package var keyCount: UInt64?
  package var keys: [[UInt8]] = []
  package var tensors: [[UInt8]] = []
  package var alignment = 32
  package var data: [UInt8] = []

  package init() {}

  /// The file.
  package var bytes: [UInt8] {
    var result = magic + Self.number(version)
    result += Self.number(tensorCount ?? UInt64(tensors.count))
    result += Self.number(keyCount ?? UInt64(keys.count))
    result += keys.flatMap { $0 } + tensors.flatMap { $0 }
    result += Array(repeating: 0, count: (alignment - result.count % alignment) % alignment)
    return result + data
  }

  package static func number(_ value: some FixedWidthInteger) -> [UInt8] {
    (0..<value.bitWidth / 8).map { UInt8(truncatingIfNeeded: value >> (8 * $0)) }
  }

  package static func text(_ text: String) -> [UInt8] {
    number(UInt64(text.utf8.count)) + Array(text.utf8)
  }

  /// A key with the number of its value's type and the value's bytes.
  package static func key(_ name: String, _ type: UInt32, _ value: [UInt8]) -> [UInt8] {
    text(name) + number(type) + value
  }

  package static func key(_ name: String, _ value: UInt32) -> [UInt8] {
    key(name, 4, number(value))
  }
  package static func key(_ name: String, _ value: Float) -> [UInt8] {
    key(name, 6, number(value.bitPattern))
  }
  package static func key(_ name: String, _ value: String) -> [UInt8] { key(name, 8, text(value)) }
  package static func key(_ name: String, _ values: [String]) -> [UInt8] {
    key(name, 9, number(UInt32(8)) + number(UInt64(values.count)) + values.flatMap(text))
  }
  package static func key(_ name: String, _ values: [Float]) -> [UInt8] {
    key(
      name, 9,
      number(UInt32(6)) + number(UInt64(values.count)) + values.flatMap { number($0.bitPattern) })
  }
  package static func key(_ name: String, _ values: [Int32]) -> [UInt8] {
    key(name, 9, number(UInt32(5)) + number(UInt64(values.count)) + values.flatMap { number($0) })
  }

  /// A tensor's entry; sizes as in the file, the row first.
  package static func tensor(
    _ name: String, _ sizes: [UInt64], type: UInt32 = 0, at offset: UInt64 = 0, rank: UInt32? = nil
  ) -> [UInt8] {
    text(name) + number(rank ?? UInt32(sizes.count)) + sizes.flatMap { number($0) }
      + number(type) + number(offset)
  }
}
