/// Parses JSON (RFC 8259) from bytes, with a limit on nesting.
struct JSONParser {
  private let bytes: [UInt8]
  private var position = 0
  private var depth = 0

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// Reads one value with nothing but white space around it; a byte order mark before it is skipped.
  mutating func document() throws(JSONError) -> JSONValue {
    if bytes.starts(with: [0xEF, 0xBB, 0xBF]) { position = 3 }
    let result: JSONValue
    do throws(JSONError) { result = try value() } catch { throw error.atTop }
    skipSpace()
    guard position == bytes.count else { throw expected("nothing after the value") }
    return result
  }

  private mutating func value() throws(JSONError) -> JSONValue {
    skipSpace()
    switch peek ?? 0 {
    case UInt8(ascii: "{"): return try object()
    case UInt8(ascii: "["): return try array()
    case UInt8(ascii: "\""): return .string(try string())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default: throw expected("a value")
    }
  }

  // MARK: Containers

  private mutating func object() throws(JSONError) -> JSONValue {
    var object = JSONObject()
    try list(closing: UInt8(ascii: "}")) { parser throws(JSONError) in
      guard parser.peek == UInt8(ascii: "\"") else { throw parser.expected("a quoted key") }
      let key = try parser.string()
      parser.skipSpace()
      guard parser.take(UInt8(ascii: ":")) else { throw parser.expected("':'") }
      do throws(JSONError) { object.append(key, try parser.value()) } catch {
        throw error.inside(".\(key)")
      }
    }
    if let key = object.repeatedKey { throw .duplicateKey(".\(key)") }
    return .object(object)
  }

  private mutating func array() throws(JSONError) -> JSONValue {
    var elements: [JSONValue] = []
    try list(closing: UInt8(ascii: "]")) { parser throws(JSONError) in
      do throws(JSONError) { elements.append(try parser.value()) } catch {
        throw error.inside("[\(elements.count)]")
      }
    }
    return .array(elements)
  }

  /// Reads comma-separated elements between brackets.
  private mutating func list(
    closing: UInt8, _ element: (inout JSONParser) throws(JSONError) -> Void
  ) throws(JSONError) {
    position += 1
    depth += 1
    guard depth <= JSONValue.maximumDepth else {
      throw expected("at most \(JSONValue.maximumDepth) levels of nesting")
    }
    defer { depth -= 1 }
    skipSpace()
    if take(closing) { return }
    while true {
      skipSpace()
      try element(&self)
      skipSpace()
      if take(closing) { return }
      guard take(UInt8(ascii: ",")) else {
        throw expected("',' or '\(Character(Unicode.Scalar(closing)))'")
      }
    }
  }

  // MARK: Strings

  private mutating func string() throws(JSONError) -> String {
    position += 1
    let start = position
    while position < bytes.count, bytes[position] >= 0x20, bytes[position] != UInt8(ascii: "\\") {
      if bytes[position] == UInt8(ascii: "\"") {
        let text = try text(of: bytes[start..<position])
        position += 1
        return text
      }
      position += 1
    }
    return try escapedString(from: start)
  }

  private mutating func escapedString(from start: Int) throws(JSONError) -> String {
    var buffer = Array(bytes[start..<position])
    while true {
      guard let byte = peek else { throw expected("a closing quote") }
      guard byte >= 0x20 else { throw expected("an escape instead of a control character") }
      position += 1
      switch byte {
      case UInt8(ascii: "\""): return try text(of: buffer[...])
      case UInt8(ascii: "\\"): try escape(into: &buffer)
      default: buffer.append(byte)
      }
    }
  }

  private mutating func escape(into buffer: inout [UInt8]) throws(JSONError) {
    guard let byte = peek else { throw expected("an escape") }
    position += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): buffer.append(byte)
    case UInt8(ascii: "b"): buffer.append(8)
    case UInt8(ascii: "f"): buffer.append(12)
    case UInt8(ascii: "n"): buffer.append(10)
    case UInt8(ascii: "r"): buffer.append(13)
    case UInt8(ascii: "t"): buffer.append(9)
    case UInt8(ascii: "u"):
      let scalar = try escapedScalar()
      buffer.append(contentsOf: Array(String(Character(scalar)).utf8))
    default: throw expected("one of the escapes \\\" \\\\ \\/ \\b \\f \\n \\r \\t \\u")
    }
  }

  private mutating func escapedScalar() throws(JSONError) -> Unicode.Scalar {
    let first = try hexadecimal()
    if let scalar = Unicode.Scalar(first) { return scalar }
    guard first < 0xDC00, take(UInt8(ascii: "\\")), take(UInt8(ascii: "u")) else {
      throw expected("a pair of surrogates")
    }
    let second = try hexadecimal()
    guard 0xDC00...0xDFFF ~= second,
      let scalar = Unicode.Scalar(0x10000 + (first - 0xD800) << 10 + (second - 0xDC00))
    else { throw expected("a pair of surrogates") }
    return scalar
  }

  private mutating func hexadecimal() throws(JSONError) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      guard let byte = peek, let digit = Character(Unicode.Scalar(byte)).hexDigitValue else {
        throw expected("four hexadecimal digits")
      }
      value = value << 4 | UInt32(digit)
      position += 1
    }
    return value
  }

  private func text(of bytes: ArraySlice<UInt8>) throws(JSONError) -> String {
    guard let text = String(validating: bytes, as: UTF8.self) else { throw expected("UTF-8 text") }
    return text
  }

  // MARK: Numbers and words

  private mutating func number() throws(JSONError) -> JSONValue {
    let start = position
    _ = take(UInt8(ascii: "-"))
    let zero = peek == UInt8(ascii: "0")
    let digits = try takeDigits()
    guard !zero || digits == 1 else { throw expected("no leading zero") }
    var isInteger = true
    if take(UInt8(ascii: ".")) {
      isInteger = false
      _ = try takeDigits()
    }
    if take(UInt8(ascii: "e")) || take(UInt8(ascii: "E")) {
      isInteger = false
      _ = take(UInt8(ascii: "+")) || take(UInt8(ascii: "-"))
      _ = try takeDigits()
    }
    let text = String(decoding: bytes[start..<position], as: UTF8.self)
    // Through Int, so that -0 becomes 0.
    if isInteger, let integer = Int(text) { return .number(Double(integer)) }
    guard let number = Double(text), number.isFinite else {
      position = start
      throw expected("a number of at most 1.8e308")
    }
    return .number(number)
  }

  private mutating func takeDigits() throws(JSONError) -> Int {
    let start = position
    while let byte = peek, UInt8(ascii: "0")...UInt8(ascii: "9") ~= byte { position += 1 }
    guard position > start else { throw expected("a digit") }
    return position - start
  }

  private mutating func word(
    _ word: StaticString, _ value: JSONValue
  ) throws(JSONError) -> JSONValue {
    let text = word.description
    guard bytes[position...].starts(with: text.utf8) else { throw expected("'\(text)'") }
    position += text.utf8.count
    return value
  }

  // MARK: Characters

  private var peek: UInt8? { position < bytes.count ? bytes[position] : nil }

  private mutating func take(_ byte: UInt8) -> Bool {
    guard peek == byte else { return false }
    position += 1
    return true
  }

  private mutating func skipSpace() {
    while let byte = peek, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 {
      position += 1
    }
  }

  private func expected(_ what: String) -> JSONError {
    .malformed(offset: position, expected: what)
  }
}

extension JSONError {
  /// The same error, seen from the object or list around it: `part` is `.key` or `[index]`.
  fileprivate func inside(_ part: String) -> JSONError {
    guard case .duplicateKey(let key) = self else { return self }
    return .duplicateKey(part + key)
  }

  /// The same error, whose key has no point before its first part.
  fileprivate var atTop: JSONError {
    guard case .duplicateKey(let key) = self, key.hasPrefix(".") else { return self }
    return .duplicateKey(String(key.dropFirst()))
  }
}
