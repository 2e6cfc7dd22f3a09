public import SystemPackage

/// A JSON object read from a file, whose values are asked for by key and checked as they are read.
public struct ConfigurationObject {
  /// The file, for messages.
  public let path: FilePath
  /// What stands before a key in messages, for objects inside others.
  private let prefix: String
  /// The values by key, unchecked.
  public let values: JSONObject

  /// Reads a file.
  ///
  /// - Throws: ``ConfigurationError`` that says where the JSON is broken or which key is there twice, or a `FileError`.
  public init(_ path: FilePath) throws {
    try self.init(parsing: MappedFile(path).copied(upTo: FileLimit.configuration), in: path)
  }

  /// Reads the JSON text of an object that a file holds.
  ///
  /// - Throws: ``ConfigurationError``.
  package init(parsing bytes: [UInt8], in path: FilePath) throws(ConfigurationError) {
    let value: JSONValue
    do { value = try JSONValue(parsing: bytes) } catch {
      switch error {
      case .duplicateKey(let key): throw .duplicateKey(path: path, key: key)
      case .malformed:
        throw .invalidJSON(
          path: path, message: "expected a JSON object; the file is \(error.description(in: bytes))"
        )
      }
    }
    guard case .object(let object) = value else {
      throw .invalidJSON(path: path, message: "expected a JSON object, but it is \(value.kind)")
    }
    (values, self.path, prefix) = (object, path, "")
  }

  /// Wraps values that come, or were derived, from a file.
  ///
  /// - Parameters:
  ///   - values: The values by key.
  ///   - path: The file, for messages.
  ///   - prefix: What messages put before a key: for the object of the key `data`, `data.`.
  public init(_ values: JSONObject, path: FilePath, prefix: String = "") {
    (self.values, self.path, self.prefix) = (values, path, prefix)
  }

  /// A key as messages name it, with the objects around it: `data.train`.
  public func fullKey(_ key: String) -> String { prefix + key }

  /// The first of these keys that has a value other than null.
  private func find(_ keys: [String]) -> (key: String, value: JSONValue)? {
    for key in keys {
      if let value = values[key], value != .null { return (prefix + key, value) }
    }
    return nil
  }

  /// The value of a key as it is in the file; null when there is none.
  public func value(_ key: String) -> JSONValue { values[key] ?? .null }

  /// Whether one of these keys has a value other than null.
  public func has(_ keys: String...) -> Bool { find(keys) != nil }

  /// A whole number in a range, or `nil` when all keys are absent or null.
  ///
  /// - Throws: ``ConfigurationError`` that names the key, when the value is another.
  public func optionalInt(
    _ keys: String..., in range: ClosedRange<Int>
  ) throws(ConfigurationError) -> Int? {
    try optionalInt(keys, in: range)
  }

  /// A whole number in a range.
  ///
  /// - Throws: ``ConfigurationError`` that names the key, when the value is another, or all keys are absent or null.
  public func int(_ keys: String..., in range: ClosedRange<Int>) throws(ConfigurationError) -> Int {
    guard let value = try optionalInt(keys, in: range) else { throw missing(keys) }
    return value
  }

  private func optionalInt(
    _ keys: [String], in range: ClosedRange<Int>
  ) throws(ConfigurationError) -> Int? {
    guard let (key, value) = find(keys) else { return nil }
    guard case .number(let number) = value, let whole = Int(exactly: number), range.contains(whole)
    else {
      throw invalid(key, value, "a whole number in \(range.lowerBound)…\(range.upperBound)")
    }
    return whole
  }

  /// A finite number above a limit, or `nil` when all keys are absent or null.
  ///
  /// - Throws: ``ConfigurationError`` that names the key, when the value is another.
  public func optionalNumber(
    _ keys: String..., above limit: Double = 0
  ) throws(ConfigurationError) -> Double? {
    guard let (key, value) = find(keys) else { return nil }
    guard case .number(let number) = value, number.isFinite, number > limit else {
      throw invalid(key, value, "a number above \(limit)")
    }
    return number
  }

  /// A finite number of at least 0, or `nil` when the key is absent or null.
  ///
  /// - Throws: ``ConfigurationError`` that names the key, when the value is another.
  public func optionalAmount(_ key: String) throws(ConfigurationError) -> Double? {
    guard let (key, value) = find([key]) else { return nil }
    guard case .number(let number) = value, number.isFinite, number >= 0 else {
      throw invalid(key, value, "a number of at least 0")
    }
    return number
  }

  /// A finite number above a limit.
  ///
  /// - Throws: ``ConfigurationError`` that names the key, when the value is another, or the key is absent or null.
  public func number(_ key: String, above limit: Double = 0) throws(ConfigurationError) -> Double {
    guard let value = try optionalNumber(key, above: limit) else { throw missing([key]) }
    return value
  }

  /// True or false, or `nil` when the key is absent or null.
  ///
  /// - Throws: ``ConfigurationError`` that names the key, when the value is another.
  public func optionalBool(_ key: String) throws(ConfigurationError) -> Bool? {
    guard let (key, value) = find([key]) else { return nil }
    guard case .bool(let flag) = value else { throw invalid(key, value, "true or false") }
    return flag
  }

  /// True or false.
  ///
  /// - Throws: ``ConfigurationError`` that names the key, when the value is another, or the key is absent or null.
  public func bool(_ key: String) throws(ConfigurationError) -> Bool {
    guard let value = try optionalBool(key) else { throw missing([key]) }
    return value
  }

  /// A string, or `nil` when all keys are absent or null.
  ///
  /// - Throws: ``ConfigurationError`` that names the key, when the value is another.
  public func optionalString(_ keys: String...) throws(ConfigurationError) -> String? {
    guard let (key, value) = find(keys) else { return nil }
    guard case .string(let text) = value else { throw invalid(key, value, "a string") }
    return text
  }

  /// One of the named cases.
  ///
  /// - Parameters:
  ///   - key: The key, whose value is the raw value of a case.
  ///   - type: The cases.
  /// - Returns: The case.
  /// - Throws: ``ConfigurationError`` that lists the cases, when the value is none of them or missing.
  public func choice<Choice: RawRepresentable<String> & CaseIterable>(
    _ key: String, _ type: Choice.Type = Choice.self
  ) throws(ConfigurationError) -> Choice {
    guard let text = try optionalString(key) else { throw missing([key]) }
    guard let choice = Choice(rawValue: text) else {
      let names = Choice.allCases.map(\.rawValue).joined(separator: ", ")
      throw invalid(prefix + key, .string(text), "one of \(names)")
    }
    return choice
  }

  /// A list of whole numbers in a range, empty when the key is absent or null.
  ///
  /// - Throws: ``ConfigurationError`` that names the key, when the value is another.
  public func ints(_ key: String, in range: ClosedRange<Int>) throws(ConfigurationError) -> [Int] {
    guard let (key, value) = find([key]) else { return [] }
    guard case .array(let items) = value else {
      throw invalid(key, value, "a list of whole numbers")
    }
    var result: [Int] = []
    for item in items {
      guard case .number(let number) = item, let whole = Int(exactly: number), range.contains(whole)
      else {
        throw invalid(
          key, value, "a list of whole numbers in \(range.lowerBound)…\(range.upperBound)")
      }
      result.append(whole)
    }
    return result
  }

  /// A list of strings, or `nil` when the key is absent or null.
  ///
  /// - Throws: ``ConfigurationError`` that names the key, when the value is another.
  public func optionalStrings(_ key: String) throws(ConfigurationError) -> [String]? {
    guard let (key, value) = find([key]) else { return nil }
    guard case .array(let items) = value else { throw invalid(key, value, "a list of strings") }
    var result: [String] = []
    for item in items {
      guard case .string(let text) = item else { throw invalid(key, value, "a list of strings") }
      result.append(text)
    }
    return result
  }

  /// An object inside this one, or `nil` when all keys are absent or null.
  ///
  /// - Throws: ``ConfigurationError`` that names the key, when the value is another.
  public func optionalObject(_ keys: String...) throws(ConfigurationError) -> ConfigurationObject? {
    guard let (key, value) = find(keys) else { return nil }
    guard case .object(let values) = value else { throw invalid(key, value, "an object") }
    return ConfigurationObject(values, path: path, prefix: key + ".")
  }

  /// A value of this object, which must be an object, too.
  ///
  /// - Throws: ``ConfigurationError`` that names the key.
  /// - Complexity: O(1), where ``object(_:)`` looks the key up.
  public func object(
    _ value: JSONValue, of key: String
  ) throws(ConfigurationError) -> ConfigurationObject {
    let key = fullKey(key)
    guard case .object(let values) = value else { throw invalid(key, value, "an object") }
    return ConfigurationObject(values, path: path, prefix: key + ".")
  }

  /// A list of objects inside this one, or `nil` when the key is absent or null.
  ///
  /// - Throws: ``ConfigurationError`` that names the key, when the value is another.
  public func optionalObjects(_ key: String) throws(ConfigurationError) -> [ConfigurationObject]? {
    guard let (key, value) = find([key]) else { return nil }
    guard case .array(let items) = value else { throw invalid(key, value, "a list of objects") }
    var result: [ConfigurationObject] = []
    for (place, item) in items.enumerated() {
      guard case .object(let values) = item else { throw invalid(key, value, "a list of objects") }
      result.append(ConfigurationObject(values, path: path, prefix: "\(key)[\(place)]."))
    }
    return result
  }

  /// An object inside this one.
  ///
  /// - Throws: ``ConfigurationError`` that names the key, when the value is another, or absent or null.
  public func object(_ key: String) throws(ConfigurationError) -> ConfigurationObject {
    guard let object = try optionalObject(key) else { throw missing([key]) }
    return object
  }

  /// Refuses keys that are not in the list; for Switchyard's own files.
  ///
  /// - Throws: ``ConfigurationError`` that names an unknown key and the nearest known one.
  public func refuseKeys(except known: [String]) throws(ConfigurationError) {
    for key in values.keys.sorted() where !known.contains(key) {
      let nearest = known.nearest(to: key) ?? ""
      throw .unknownKey(path: path, key: prefix + key, nearest: prefix + nearest)
    }
  }

  /// An error about a value that this object holds, to be thrown.
  ///
  /// - Parameters:
  ///   - key: The key.
  ///   - expected: What the value must be, to follow "it must be": "a power of two".
  /// - Returns: The error, with the value that the key has.
  public func invalid(_ key: String, _ expected: String) -> ConfigurationError {
    invalid(prefix + key, values[key] ?? .null, expected)
  }

  private func invalid(_ key: String, _ value: JSONValue, _ expected: String) -> ConfigurationError
  {
    .invalidValue(path: path, key: key, value: "\(value.text)", expected: expected)
  }

  private func missing(_ keys: [String]) -> ConfigurationError {
    .missingKey(path: path, key: prefix + keys.joined(separator: "' or '\(prefix)"))
  }
}
