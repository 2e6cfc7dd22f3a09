/// Reads the JSON of a safetensors header: one object of objects, nothing deeper.
///
/// A dedicated parser, because the rules need what general JSON decoders hide: duplicate keys, the
/// exact spelling of numbers, and the position of the first error. The grammar has fixed depth, so
/// no input can exhaust the stack.
struct SafetensorsHeaderParser {
  /// A tensor as the header states it, unchecked.
  struct Tensor {
    var name: String
    var dtype: String
    var shape: [Int]
    var begin: Int
    var end: Int
  }

  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Reads the whole header.
  ///
  /// - Throws: ``SafetensorsError/Reason/invalidHeader(offset:expected:)`` or
  ///   ``SafetensorsError/Reason/duplicateName(_:)``.
  mutating func parse() throws -> (
    tensors: [Tensor], metadata: [String: String]
  ) {
    var tensors: [Tensor] = []
    var metadata: [String: String] = [:]
    var names: Set<String> = []
    // The format requires an opening brace as the very first byte.
    guard bytes.first == UInt8(ascii: "{") else { throw expected("'{'") }
    try object { parser, name in
      guard names.insert(name).inserted else { throw SafetensorsError.Reason.duplicateName(name) }
      if name == "__metadata__" {
        metadata = try parser.stringsByKey()
      } else {
        tensors.append(try parser.tensor(name))
      }
    }
    skipSpace()
    guard position == bytes.count else { throw expected("nothing after the closing '}'") }
    return (tensors, metadata)
  }

  // MARK: Values of the format

  private mutating func tensor(_ name: String) throws -> Tensor {
    var dtype: String?
    var shape: [Int]?
    var offsets: [Int]?
    try object { parser, key in
      switch key {
      case "dtype" where dtype == nil: dtype = try parser.string()
      case "shape" where shape == nil: shape = try parser.integers()
      case "data_offsets" where offsets == nil: offsets = try parser.integers()
      case "dtype", "shape", "data_offsets":
        throw SafetensorsError.Reason.duplicateName("\(name).\(key)")
      default:
        throw parser.expected(
          "'dtype', 'shape' or 'data_offsets' in tensor '\(name)', not '\(key)'")
      }
    }
    guard let dtype, let shape, let offsets else {
      throw expected("'dtype', 'shape' and 'data_offsets' in tensor '\(name)'")
    }
    guard offsets.count == 2 else {
      throw expected("two numbers in the 'data_offsets' of '\(name)'")
    }
    return Tensor(name: name, dtype: dtype, shape: shape, begin: offsets[0], end: offsets[1])
  }

  /// Texts by key, or null for none, as MLX writes it.
  private mutating func stringsByKey() throws -> [String: String] {
    var result: [String: String] = [:]
    if next() == UInt8(ascii: "n") {
      for letter in "null".unicodeScalars { try take(letter, skippingSpace: false) }
      return result
    }
    try object { parser, key in
      let value = try parser.string()
      guard result.updateValue(value, forKey: key) == nil else {
        throw SafetensorsError.Reason.duplicateName("__metadata__.\(key)")
      }
    }
    return result
  }

  private mutating func integers() throws -> [Int] {
    var result: [Int] = []
    try sequence(from: "[", to: "]") { parser in
      result.append(try parser.integer())
    }
    return result
  }

  // MARK: JSON

  /// Reads an object whose values `member` reads, given their keys.
  private mutating func object(
    _ member: (inout Self, String) throws -> Void
  ) throws {
    try sequence(from: "{", to: "}") { parser in
      let key = try parser.string()
      try parser.take(":")
      try member(&parser, key)
    }
  }

  private mutating func sequence(
    from opening: Unicode.Scalar, to closing: Unicode.Scalar,
    _ element: (inout Self) throws -> Void
  ) throws {
    try take(opening)
    if next() == UInt8(ascii: closing) {
      position += 1
      return
    }
    while true {
      try element(&self)
      switch next() {
      case UInt8(ascii: ","): position += 1
      case UInt8(ascii: closing):
        position += 1
        return
      default: throw expected("',' or '\(closing)'")
      }
    }
  }

  /// Reads a non-negative integer without sign, leading zero, fraction or exponent.
  private mutating func integer() throws -> Int {
    _ = next()
    let start = position
    var value = 0
    while position < bytes.count, case let digit = Int(bytes[position]) - 48, 0...9 ~= digit {
      let (scaled, overflow) = value.multipliedReportingOverflow(by: 10)
      let (sum, carry) = scaled.addingReportingOverflow(digit)
      guard !overflow, !carry else { throw expected("a number below 2^63") }
      value = sum
      position += 1
    }
    guard position > start else { throw expected("a non-negative integer") }
    if bytes[start] == UInt8(ascii: "0"), position > start + 1 {
      throw expected("a number without leading zeros")
    }
    return value
  }

  private mutating func string() throws -> String {
    try take("\"")
    var content: [UInt8] = []
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: content, as: UTF8.self) else {
          throw expected("a string in valid UTF-8")
        }
        return text
      case UInt8(ascii: "\\"): try escape(into: &content)
      case 0..<0x20: throw expected("no control character in a string")
      default: content.append(byte)
      }
    }
    throw expected("a closing '\"'")
  }

  private mutating func escape(into content: inout [UInt8]) throws {
    guard position < bytes.count else { throw expected("an escaped character") }
    let byte = bytes[position]
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): content.append(byte)
    case UInt8(ascii: "b"): content.append(0x08)
    case UInt8(ascii: "f"): content.append(0x0C)
    case UInt8(ascii: "n"): content.append(0x0A)
    case UInt8(ascii: "r"): content.append(0x0D)
    case UInt8(ascii: "t"): content.append(0x09)
    case UInt8(ascii: "u"): content.append(contentsOf: Array(String(try unicodeEscape()).utf8))
    default: throw expected("a JSON escape")
    }
  }

  /// Reads the digits of `\uXXXX`, and of the second half of a surrogate pair.
  private mutating func unicodeEscape() throws -> Unicode.Scalar {
    var code = try hexadecimal()
    if 0xD800...0xDBFF ~= code {
      try take("\\", skippingSpace: false)
      try take("u", skippingSpace: false)
      let low = try hexadecimal()
      guard 0xDC00...0xDFFF ~= low else { throw expected("the second half of a surrogate pair") }
      code = 0x10000 + (code - 0xD800) << 10 + (low - 0xDC00)
    }
    guard let scalar = Unicode.Scalar(code) else { throw expected("a Unicode character") }
    return scalar
  }

  private mutating func hexadecimal() throws -> UInt32 {
    var code: UInt32 = 0
    for _ in 0..<4 {
      guard position < bytes.count,
        let digit = Character(Unicode.Scalar(bytes[position])).hexDigitValue
      else { throw expected("four hexadecimal digits") }
      code = code << 4 + UInt32(digit)
      position += 1
    }
    return code
  }

  private mutating func take(
    _ token: Unicode.Scalar, skippingSpace: Bool = true
  ) throws {
    if skippingSpace { skipSpace() }
    guard position < bytes.count, bytes[position] == UInt8(ascii: token) else {
      throw expected("'\(token)'")
    }
    position += 1
  }

  /// The next byte that is not white space, or `nil` at the end.
  private mutating func next() -> UInt8? {
    skipSpace()
    return position < bytes.count ? bytes[position] : nil
  }

  private mutating func skipSpace() {
    while position < bytes.count, [0x20, 0x09, 0x0A, 0x0D].contains(bytes[position]) {
      position += 1
    }
  }

  private func expected(_ what: String) -> SafetensorsError.Reason {
    .invalidHeader(offset: position, expected: what)
  }
}
