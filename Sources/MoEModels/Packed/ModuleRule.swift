package import MoECore

/// A setting for the modules whose name a regular expression matches from its beginning, as Python's `re.match` does.
package struct ModuleRule<Value> {
  /// The setting.
  package let value: Value
  private let expression: Regex<AnyRegexOutput>

  /// Reads an expression.
  ///
  /// - Throws: `ConfigurationError` that names the key, if it is no regular expression, or one whose search might not end.
  package init(
    _ pattern: String, _ value: Value, in settings: ConfigurationObject, key: String
  ) throws {
    guard let expression = Self.isBounded(pattern) ? try? Regex(pattern) : nil else {
      throw settings.invalid(
        key,
        "a regular expression of at most 500 characters without repeated groups, and with at most 4 of * and +; '\(String(pattern.prefix(80)).printable)' is not"
      )
    }
    (self.expression, self.value) = (expression, value)
  }

  /// Whether a search takes a time that is known: repeated groups may make it endless.
  private static func isBounded(_ pattern: String) -> Bool {
    var (repeats, previous) = (0, Character(" "))
    for character in pattern {
      if "*+{".contains(character), previous != "\\" {
        guard previous != ")" else { return false }
        repeats += 1
      }
      // A backslash that is itself escaped escapes nothing.
      previous = previous == "\\" && character == "\\" ? " " : character
    }
    return repeats <= 4 && pattern.utf8.count <= 500
  }

  /// Whether the rule is for a module.
  package func matches(_ module: String) -> Bool {
    (try? expression.prefixMatch(in: module)) != nil
  }
}
