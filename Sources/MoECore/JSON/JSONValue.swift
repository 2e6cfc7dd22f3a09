/// Any JSON value, as files hold it and as settings and records are written.
public enum JSONValue: Hashable, Sendable {
  /// `null`.
  case null
  /// `true` or `false`.
  case bool(Bool)
  /// A number; whole ones are exact below 2⁵³ and written without a fraction.
  case number(Double)
  /// A text.
  case string(String)
  /// A list.
  case array([JSONValue])
  /// Values by key.
  case object(JSONObject)

  /// Deepest nesting that is read; real files need less than ten levels.
  package static let maximumDepth = 64

  /// Reads a whole document as RFC 8259 defines it.
  ///
  /// - Complexity: O(bytes).
  /// - Throws: ``JSONError`` that says where the text is broken, or which key an object names twice.
  package init(parsing bytes: [UInt8]) throws(JSONError) {
    var parser = JSONParser(bytes)
    self = try parser.document()
  }

  /// Whether two strings have the same code points; Swift's `==` ignores how accents are encoded.
  package static func same(_ left: String, _ right: String) -> Bool {
    left.utf8.count == right.utf8.count && left.utf8.elementsEqual(right.utf8)
  }
}

extension JSONValue {
  /// What the value is, for messages.
  var kind: String {
    switch self {
    case .null: "null"
    case .bool: "true or false"
    case .number: "a number"
    case .string: "a string"
    case .array: "a list"
    case .object: "an object"
    }
  }

  /// The value as a message shows it.
  public var text: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .number(let value): Int(exactly: value).map(String.init) ?? "\(value)"
    case .string(let value): "'\(value.printableValue)'"
    case .array(let items): "[\(items.prefix(8).map(\.text).joined(separator: ", "))]"
    case .object: "an object"
    }
  }

  /// JSON that people can read, with a line end.
  package func json() throws -> String { try JSONText.pretty(self) }
}
