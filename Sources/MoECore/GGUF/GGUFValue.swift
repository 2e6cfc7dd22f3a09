/// A value of a GGUF file's metadata.
public enum GGUFValue: Sendable {
  /// An unsigned integer of any width.
  case unsigned(UInt64)
  /// A signed integer of any width.
  case signed(Int64)
  /// A binary32.
  case float(Float)
  /// A binary64.
  case double(Double)
  /// True or false.
  case truth(Bool)
  /// A text.
  case text(String)
  /// Values of one type.
  case list(GGUFList)

  /// The value as error messages show it.
  var summary: String {
    switch self {
    case .unsigned(let value): "\(value)"
    case .signed(let value): "\(value)"
    case .float(let value): "\(value)"
    case .double(let value): "\(value)"
    case .truth(let value): "\(value)"
    case .text(let value): "'\(value.prefix(80))'"
    case .list(let list): "a list of \(list.count)"
    }
  }
}

/// The types of values, by their numbers in files.
enum GGUFValueType: UInt32, Sendable {
  case u8, i8, u16, i16, u32, i32, f32, truth, text, list, u64, i64, f64

  /// The size of a value in bytes, or the smallest size if it varies.
  var smallestSize: Int {
    switch self {
    case .u8, .i8, .truth: 1
    case .u16, .i16: 2
    case .u32, .i32, .f32: 4
    case .u64, .i64, .f64, .text: 8
    case .list: 12
    }
  }
}

/// A metadata list, which stays in the file until its elements are requested.
public struct GGUFList: Sendable {
  let key: String
  let type: GGUFValueType
  /// Number of elements.
  public let count: Int
  let file: MappedFile
  let range: Range<Int>

  /// The elements of a list of texts.
  ///
  /// - Throws: ``GGUFError`` when they are something else, or one is not UTF-8.
  public func texts() throws(GGUFError) -> [String] {
    try read("a list of texts", [.text]) { cursor throws(GGUFError.Reason) in
      try cursor.text(of: "an element of '\(key)'")
    }
  }

  /// The elements of a list of integers.
  ///
  /// - Throws: ``GGUFError`` when they are something else.
  public func integers() throws(GGUFError) -> [Int] {
    let what = "'\(key)'"
    return try read("a list of 32-bit integers", [.i32, .u32]) { cursor throws(GGUFError.Reason) in
      type == .u32
        ? Int(try cursor.number(UInt32.self, of: what))
        : Int(try cursor.number(Int32.self, of: what))
    }
  }

  /// The elements of a list of binary32 numbers.
  ///
  /// - Throws: ``GGUFError`` when they are something else.
  public func floats() throws(GGUFError) -> [Float] {
    try read("a list of 32-bit floats", [.f32]) { cursor throws(GGUFError.Reason) in
      Float(bitPattern: try cursor.number(UInt32.self, of: "'\(key)'"))
    }
  }

  private func read<Element>(
    _ expected: String, _ types: [GGUFValueType],
    _ next: (inout GGUFCursor) throws(GGUFError.Reason) -> Element
  ) throws(GGUFError) -> [Element] {
    do throws(GGUFError.Reason) {
      guard types.contains(type) else {
        throw .invalidValue(
          key: key, found: "a list of other elements", expected: expected)
      }
      var cursor = GGUFCursor(file, at: range.lowerBound)
      var result: [Element] = []
      result.reserveCapacity(count)
      for _ in 0..<count { result.append(try next(&cursor)) }
      return result
    } catch {
      throw GGUFError(path: file.path, reason: error)
    }
  }
}
