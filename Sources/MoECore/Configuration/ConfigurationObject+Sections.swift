package import SystemPackage

extension ConfigurationObject {
  /// A section of the file, empty if it is absent, with only known keys.
  package func section(_ name: String, _ keys: [String]) throws -> ConfigurationObject {
    let object =
      try optionalObject(name) ?? ConfigurationObject([:], path: path, prefix: name + ".")
    try object.refuseKeys(except: keys)
    return object
  }

  /// A path, or a list of paths; empty if the key is absent.
  package func paths(_ key: String) throws -> [FilePath] {
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

  /// A number from 0 to below 1.
  package func share(_ key: String) throws -> Double? {
    let value = try optionalNumber(key, above: -.leastNonzeroMagnitude)
    guard value ?? 0 < 1 else { throw invalid(key, "from 0 to below 1") }
    return value
  }

  /// Throws an error about a setting as one about the key of this section that set it.
  package func renaming<Result>(
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
