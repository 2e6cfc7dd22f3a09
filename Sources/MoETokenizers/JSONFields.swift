import MoECore

/// An object of the file and its path there, so that every error can name the key.
struct JSONFields {
  /// The path of the object, for example `pre_tokenizer.pretokenizers[1]`; empty at the top.
  let path: String
  private let members: JSONObject

  /// Wraps an object with few keys.
  ///
  /// - Throws: ``TokenizerError/Reason`` if `value` is not an object.
  init(_ value: JSONValue, at path: String) throws(TokenizerError.Reason) {
    guard case .object(let members) = value else {
      throw .wrongType(key: path.isEmpty ? "the file" : path, expected: "an object")
    }
    self.path = path
    self.members = members
  }

  /// The full name of a key in this object.
  func key(_ name: String) -> String { path.isEmpty ? name : "\(path).\(name)" }

  /// The value of a key; `nil` if it is absent or null.
  func value(_ name: String) -> JSONValue? {
    guard let value = members[name], value != .null else { return nil }
    return value
  }

  /// The value of a required key.
  func required(_ name: String) throws(TokenizerError.Reason) -> JSONValue {
    guard let value = value(name) else { throw .missing(key: key(name)) }
    return value
  }

  /// The name of the component that this object describes.
  func type() throws(TokenizerError.Reason) -> String { try string("type") }

  /// A required string.
  func string(_ name: String) throws(TokenizerError.Reason) -> String {
    try Self.string(try required(name), at: key(name))
  }

  /// An optional string.
  func optionalString(_ name: String) throws(TokenizerError.Reason) -> String? {
    guard let value = value(name) else { return nil }
    return try Self.string(value, at: key(name))
  }

  /// An optional Boolean.
  func optionalBoolean(_ name: String) throws(TokenizerError.Reason) -> Bool? {
    guard let value = value(name) else { return nil }
    guard case .bool(let boolean) = value else {
      throw .wrongType(key: key(name), expected: "true or false")
    }
    return boolean
  }

  /// A required integer in a range.
  func integer(_ name: String, in range: ClosedRange<Int>) throws(TokenizerError.Reason) -> Int {
    try Self.integer(try required(name), in: range, at: key(name))
  }

  /// A required object.
  func fields(_ name: String) throws(TokenizerError.Reason) -> JSONFields {
    try JSONFields(try required(name), at: key(name))
  }

  /// An optional object.
  func optionalFields(_ name: String) throws(TokenizerError.Reason) -> JSONFields? {
    guard let value = value(name) else { return nil }
    return try JSONFields(value, at: key(name))
  }

  /// A required list of objects.
  func list(_ name: String) throws(TokenizerError.Reason) -> [JSONFields] {
    guard case .array(let elements) = try required(name) else {
      throw .wrongType(key: key(name), expected: "a list")
    }
    var result: [JSONFields] = []
    for (index, element) in elements.enumerated() {
      result.append(try JSONFields(element, at: "\(key(name))[\(index)]"))
    }
    return result
  }

  /// Calls a closure for each key and value, in the order of the file.
  func each(
    _ body: (String, JSONValue) throws(TokenizerError.Reason) -> Void
  ) throws(TokenizerError.Reason) {
    for member in members { try body(member.key, member.value) }
  }

  /// The error that this object's component, or one of its settings, is not supported.
  func unsupported(_ component: String) -> TokenizerError.Reason {
    .unsupported(key: path, component: component)
  }

  static func string(
    _ value: JSONValue, at key: String
  ) throws(TokenizerError.Reason) -> String {
    guard case .string(let string) = value else {
      throw .wrongType(key: key, expected: "a string")
    }
    return string
  }

  static func integer(
    _ value: JSONValue, in range: ClosedRange<Int>, at key: String
  ) throws(TokenizerError.Reason) -> Int {
    guard case .number(let number) = value else {
      throw .wrongType(key: key, expected: "an integer")
    }
    let whole = Int(exactly: number)
    if let whole, range.contains(whole) { return whole }
    throw .invalidValue(
      key: key, found: value.text,
      expected: "\(whole == nil ? "an integer " : "")in \(range.lowerBound)…\(range.upperBound)")
  }
}

extension JSONValue {
  /// The value in the bytes of a file.
  ///
  /// - Throws: ``TokenizerError/Reason/invalidJSON(offset:expected:)`` or
  ///   ``TokenizerError/Reason/duplicateKey(key:)``.
  static func parsed(_ bytes: [UInt8]) throws(TokenizerError.Reason) -> JSONValue {
    do { return try JSONValue(parsing: bytes) } catch {
      switch error {
      case .malformed(let offset, let expected):
        throw .invalidJSON(offset: offset, expected: expected)
      case .duplicateKey(let key): throw .duplicateKey(key: key)
      }
    }
  }
}
