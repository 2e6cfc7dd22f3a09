import MoECore

/// A setting for the modules whose name a regular expression matches from its beginning, as Python's `re.match` does.
struct ModuleRule<Value> {
  /// The setting.
  let value: Value
  private let expression: Regex<AnyRegexOutput>

  /// Reads an expression.
  ///
  /// - Throws: `ConfigurationError` that names the key, if it is no regular expression.
  init(
    _ pattern: String, _ value: Value, in settings: ConfigurationObject, key: String
  ) throws {
    do { expression = try Regex(pattern) } catch {
      throw settings.invalid(key, "named by a regular expression")
    }
    self.value = value
  }

  /// Whether the rule is for a module.
  func matches(_ module: String) -> Bool { (try? expression.prefixMatch(in: module)) != nil }
}
