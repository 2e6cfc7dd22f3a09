/// A setting that has a value it cannot have.
///
/// Libraries name settings as their own parameters are called; whoever read a value from a flag or from a key of a
/// file gives it the name that the user knows with ``renaming(_:_:)``.
public struct SettingError: Error, Hashable {
  /// Name of the setting.
  public var key: String
  /// The value as a message shows it.
  public var value: String
  /// What the value must be.
  public var expected: String

  /// Describes a refused value.
  public init(key: String, value: String, expected: String) {
    (self.key, self.value, self.expected) = (key, value, expected)
  }
}

extension SettingError: CustomStringConvertible {
  /// What is wrong and what to change.
  public var description: String { "\(key) is \(value); it must be \(expected)" }
}

extension SettingError {
  /// Gives refused settings the names under which a user set them.
  ///
  /// - Parameters:
  ///   - names: The users' names by the library's; others stay.
  ///   - body: What may refuse a setting.
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws, a ``SettingError`` with its new name.
  public static func renaming<Result>(
    _ names: [String: String], _ body: () throws -> Result
  ) throws -> Result {
    do { return try body() } catch var error as SettingError {
      error.key = names[error.key] ?? error.key
      throw error
    }
  }
}
