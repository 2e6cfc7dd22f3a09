extension ConfigurationObject {
  /// Any JSON value, as settings need it: objects without order, and numbers as 64-bit floating point.
  public enum Value: Codable, Hashable, Sendable {
    /// `null`.
    case null
    /// `true` or `false`.
    case bool(Bool)
    /// A number; whole ones are written without a fraction.
    case number(Double)
    /// A text.
    case string(String)
    /// A list.
    case array([Value])
    /// Values by key.
    case object([String: Value])

    /// Reads any value.
    public init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      if container.decodeNil() {
        self = .null
      } else if let value = try? container.decode(Bool.self) {
        self = .bool(value)
      } else if let value = try? container.decode(Double.self) {
        self = .number(value)
      } else if let value = try? container.decode(String.self) {
        self = .string(value)
      } else if let value = try? container.decode([Value].self) {
        self = .array(value)
      } else {
        self = .object(try container.decode([String: Value].self))
      }
    }

    /// Writes the value.
    public func encode(to encoder: any Encoder) throws {
      var container = encoder.singleValueContainer()
      switch self {
      case .null: try container.encodeNil()
      case .bool(let value): try container.encode(value)
      case .number(let value):
        if let whole = Int(exactly: value) {
          try container.encode(whole)
        } else {
          try container.encode(value)
        }
      case .string(let value): try container.encode(value)
      case .array(let items): try container.encode(items)
      case .object(let values): try container.encode(values)
      }
    }
  }
}

/// A key that is in one object of a file twice.
struct DuplicateKey: Error {
  /// The key with the objects around it.
  let key: String
}

extension ConfigurationObject.Value {
  /// Reads a JSON text.
  ///
  /// - Throws: ``JSONError``, or what says which key is there twice.
  package init(parsing bytes: [UInt8]) throws {
    try self.init(JSONValue(parsing: bytes), at: "")
  }

  /// Takes a parsed value.
  ///
  /// - Parameters:
  ///   - value: What a file holds.
  ///   - key: Its key with the objects around it, for messages.
  /// - Throws: ``DuplicateKey``.
  init(_ value: JSONValue, at key: String) throws(DuplicateKey) {
    switch value {
    case .null: self = .null
    case .boolean(let flag): self = .bool(flag)
    case .integer(let integer): self = .number(Double(integer))
    case .number(let number): self = .number(number)
    case .string(let text): self = .string(text)
    case .array(let elements):
      var items: [Self] = []
      for (index, element) in elements.enumerated() {
        items.append(try Self(element, at: "\(key)[\(index)]"))
      }
      self = .array(items)
    case .object(let members):
      self = .object(try Self.dictionary(members, at: key.isEmpty ? "" : key + "."))
    }
  }

  /// Members by key.
  static func dictionary(
    _ members: [JSONValue.Member], at prefix: String
  ) throws(DuplicateKey) -> [String: Self] {
    var result: [String: Self] = [:]
    for member in members {
      let key = prefix + member.key
      guard result.updateValue(try Self(member.value, at: key), forKey: member.key) == nil else {
        throw DuplicateKey(key: key)
      }
    }
    return result
  }
}

extension JSONValue {
  /// What the value is, for messages.
  var kind: String {
    switch self {
    case .null: "null"
    case .boolean: "true or false"
    case .integer, .number: "a number"
    case .string: "a string"
    case .array: "a list"
    case .object: "an object"
    }
  }
}

extension ConfigurationObject.Value {
  /// The value as a message shows it.
  public var text: String {
    switch self {
    case .null: "null"
    case .bool(let value): "\(value)"
    case .number(let value): Int(exactly: value).map(String.init) ?? "\(value)"
    case .string(let value): "'\(value)'"
    case .array(let items): "[\(items.prefix(8).map(\.text).joined(separator: ", "))]"
    case .object: "an object"
    }
  }
}

extension ConfigurationObject.Value {
  /// JSON that people can read, with a line end.
  package func json() throws -> String { try JSONText.pretty(self) }
}
