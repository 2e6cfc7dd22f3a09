/// A JSON value that keeps what general decoders lose: duplicate keys, and strings that differ only
/// in Unicode normalization, which Swift's `String` treats as equal.
indirect enum JSONValue {
  case null
  case boolean(Bool)
  case integer(Int)
  case number(Double)
  case string(String)
  case array([JSONValue])
  case object([Member])

  /// One entry of an object.
  struct Member {
    let key: String
    let value: JSONValue
  }

  /// The maximum nesting depth; real tokenizers need fewer than ten levels.
  static let maximumDepth = 64

  /// Parses a whole document.
  ///
  /// - Complexity: O(bytes).
  /// - Throws: ``TokenizerError/Reason/invalidJSON(offset:expected:)``.
  init(parsing bytes: [UInt8]) throws(TokenizerError.Reason) {
    var parser = JSONParser(bytes)
    self = try parser.document()
  }

  /// Whether two strings have the same code points.
  static func same(_ left: String, _ right: String) -> Bool {
    left.utf8.elementsEqual(right.utf8)
  }
}
