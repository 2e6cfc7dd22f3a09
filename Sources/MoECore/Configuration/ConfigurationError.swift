public import SystemPackage

/// Why a JSON file that describes something cannot be used.
public enum ConfigurationError: Error, Hashable {
  /// A file that should hold a JSON object holds something else.
  case invalidJSON(path: FilePath, message: String)
  /// An object of the configuration names a key twice.
  case duplicateKey(path: FilePath, key: String)
  /// The configuration lacks a key.
  case missingKey(path: FilePath, key: String)
  /// A key of the configuration has a value that it cannot have.
  case invalidValue(path: FilePath, key: String, value: String, expected: String)
  /// A key of Switchyard's own configuration that nobody knows.
  case unknownKey(path: FilePath, key: String, nearest: String)
}

extension ConfigurationError {
  /// What is wrong, without the file, if this is about a whole file; otherwise the description.
  package var message: String {
    guard case .invalidJSON(_, let message) = self else { return description }
    return message
  }
}

extension ConfigurationError: CustomStringConvertible {
  /// What is wrong, where, and what to change.
  public var description: String { text.printable }

  private var text: String {
    switch self {
    case .invalidJSON(let path, let message):
      "\(path): \(message)"
    case .duplicateKey(let path, let key):
      "\(path): the key '\(key.printableValue)' is there twice; remove one of them"
    case .missingKey(let path, let key):
      "\(path): the key '\(key)' is missing; it is needed here"
    case .invalidValue(let path, let key, let value, let expected):
      "\(path): \(key) is \(value); it must be \(expected)"
    case .unknownKey(let path, let key, let nearest):
      "\(path): the key '\(key.printableValue)' is unknown; did you mean '\(nearest)'?"
    }
  }
}
