/// Reads the parts of a GGUF file in order, never beyond its end.
struct GGUFCursor {
  typealias Reason = GGUFError.Reason
  /// The most levels of nested lists; real files have one.
  static let deepest = 4

  let file: MappedFile
  /// Where the next part begins.
  private(set) var offset: Int

  init(_ file: MappedFile, at offset: Int = 0) { (self.file, self.offset) = (file, offset) }

  /// Bytes that are left.
  var remaining: Int { file.count - offset }

  /// Reads the byte range of a part.
  mutating func range(_ count: UInt64, of what: String) throws(Reason) -> Range<Int> {
    guard count <= UInt64(remaining) else { throw .truncated(what: what, offset: offset) }
    let range = offset..<offset + Int(count)
    offset = range.upperBound
    return range
  }

  /// Reads a little-endian number.
  mutating func number<Number: FixedWidthInteger & BitwiseCopyable>(
    _ type: Number.Type = Number.self, of what: String
  ) throws(Reason) -> Number {
    let range = try range(UInt64(MemoryLayout<Number>.size), of: what)
    return file.withBytes(in: range) {
      Number(littleEndian: unsafe $0.unsafeLoadUnaligned(as: Number.self))
    }
  }

  /// Reads the length of a text and returns the range of its bytes.
  mutating func textRange(of what: String) throws(Reason) -> Range<Int> {
    try range(try number(UInt64.self, of: what), of: what)
  }

  /// Reads a text.
  mutating func text(of what: String, atMost limit: Int = .max) throws(Reason) -> String {
    let range = try textRange(of: what)
    guard range.count <= limit else {
      throw .tooMany(what: "bytes of \(what)", count: UInt64(range.count), limit: limit)
    }
    return try file.text(in: range, of: what)
  }

  /// Reads a count of parts, each of which has at least `size` bytes.
  mutating func count(of what: String, each size: Int) throws(Reason) -> Int {
    let count = try number(UInt64.self, of: "the number of \(what)")
    guard count <= UInt64(remaining / size) else {
      throw .tooMany(what: what, count: count, limit: remaining / size)
    }
    return Int(count)
  }

  /// Reads a metadata value.
  mutating func value(ofKey key: String) throws(Reason) -> GGUFValue {
    let what = "the value of '\(key)'"
    switch try valueType(key) {
    case .u8: return .unsigned(UInt64(try number(UInt8.self, of: what)))
    case .u16: return .unsigned(UInt64(try number(UInt16.self, of: what)))
    case .u32: return .unsigned(UInt64(try number(UInt32.self, of: what)))
    case .u64: return .unsigned(try number(UInt64.self, of: what))
    case .i8: return .signed(Int64(try number(Int8.self, of: what)))
    case .i16: return .signed(Int64(try number(Int16.self, of: what)))
    case .i32: return .signed(Int64(try number(Int32.self, of: what)))
    case .i64: return .signed(try number(Int64.self, of: what))
    case .f32: return .float(Float(bitPattern: try number(UInt32.self, of: what)))
    case .f64: return .double(Double(bitPattern: try number(UInt64.self, of: what)))
    case .truth:
      let byte = try number(UInt8.self, of: what)
      guard byte <= 1 else { throw .invalidTruth(key: key, value: byte) }
      return .truth(byte == 1)
    case .text: return .text(try text(of: what))
    case .list: return .list(try list(ofKey: key, level: 1))
    }
  }

  private mutating func valueType(_ key: String) throws(Reason) -> GGUFValueType {
    let type = try number(UInt32.self, of: "the value of '\(key)'")
    guard let known = GGUFValueType(rawValue: type) else {
      throw .unknownValueType(key: key, type: type)
    }
    return known
  }

  /// Reads a list's position, and checks that its elements are complete, without loading them.
  private mutating func list(ofKey key: String, level: Int) throws(Reason) -> GGUFList {
    guard level <= Self.deepest else { throw .nestedTooDeeply(key: key) }
    let type = try valueType(key)
    let what = "elements of '\(key)'"
    let count = try count(of: what, each: type.smallestSize)
    let begin = offset
    switch type {
    case .text: for _ in 0..<count { _ = try textRange(of: what) }
    case .list: for _ in 0..<count { _ = try list(ofKey: key, level: level + 1) }
    default: _ = try range(UInt64(count * type.smallestSize), of: what)
    }
    return GGUFList(key: key, type: type, count: count, file: file, range: begin..<offset)
  }
}

extension MappedFile {
  /// The text in a range.
  func text(in range: Range<Int>, of what: String) throws(GGUFError.Reason) -> String {
    let bytes = withBytes(in: range) { bytes in
      unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw .invalidText(what: what)
    }
    return text
  }
}
