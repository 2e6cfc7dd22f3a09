public import SystemPackage

extension ConfigurationObject {
  /// An object inside this one, empty if it is absent, with only known keys.
  ///
  /// - Parameters:
  ///   - name: The section's key.
  ///   - keys: All keys that it may have.
  /// - Returns: The section, whose messages name keys as `name.key`.
  /// - Throws: ``ConfigurationError`` when it is not an object, or has an unknown key.
  public func section(_ name: String, _ keys: [String]) throws -> ConfigurationObject {
    let object =
      try optionalObject(name) ?? ConfigurationObject([:], path: path, prefix: name + ".")
    try object.refuseKeys(except: keys)
    return object
  }

  /// The same object with values for keys that it does not have; a null that it has stays.
  ///
  /// - Parameters:
  ///   - defaults: The values by key.
  ///   - spellings: Keys that mean the same: where the object has one of a group, no default of the group is added.
  /// - Returns: The object, complete.
  package func completed(
    with defaults: JSONObject, spellings: [[String]] = []
  ) -> ConfigurationObject {
    let given = spellings.filter { group in group.contains { values[$0] != nil } }.joined()
    let missing = defaults.filter { !given.contains($0.key) }
    return ConfigurationObject(
      values.merging(missing) { own, _ in own }, path: path, prefix: fullKey(""))
  }

  /// A path, or a list of paths; empty if the key is absent.
  ///
  /// - Throws: ``ConfigurationError`` that names the key, when the value is another or a path is empty.
  public func paths(_ key: String) throws -> [FilePath] {
    guard let value = values[key], value != .null else { return [] }
    let texts: [String]
    if case .string(let text) = value {
      texts = [text]
    } else {
      texts = try optionalStrings(key) ?? []
    }
    guard texts.allSatisfy({ !$0.isEmpty }) else { throw invalid(key, "the path of a file") }
    return texts.map { FilePath($0) }
  }

  /// A number from 0 to below 1, or `nil` when the key is absent or null.
  ///
  /// - Throws: ``ConfigurationError`` that names the key, when the value is another.
  public func fraction(_ key: String) throws -> Double? {
    let value = try optionalNumber(key, above: -.leastNonzeroMagnitude)
    guard value ?? 0 < 1 else { throw invalid(key, "from 0 to below 1") }
    return value
  }

  /// Throws an error about a setting as one about the key of this section that set it.
  ///
  /// - Parameters:
  ///   - keys: Keys by the names of settings, as messages show them: `["peak": "optimizer.learning_rate"]`; other names
  ///     stay.
  ///   - body: What may refuse a setting.
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws, a ``SettingError`` as ``ConfigurationError``.
  public func renaming<Result>(
    _ keys: [String: String], _ body: () throws -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch let error as SettingError {
      throw ConfigurationError.invalidValue(
        path: path, key: keys[error.key] ?? error.key, value: error.value, expected: error.expected)
    }
  }
}
