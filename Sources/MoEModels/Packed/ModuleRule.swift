package import MoECore

/// Settings by rules, of which the first that matches a module counts.
package struct ModuleRules<Value> {
  private var expressions: [(place: Int, rule: ModuleRule<Value>)] = []
  /// Rules that are a beginning of a name, and those that are a whole one (`…$`), by what they spell.
  private var beginnings: [String: Int] = [:]
  private var wholes: [String: Int] = [:]
  private var values: [Value] = []

  /// The most rules that are not simply names: each is tried for each module.
  package static var mostExpressions: Int { 1_000 }

  package init() {}

  /// Adds a rule after all others.
  ///
  /// - Throws: As ``ModuleRule/init(_:_:in:key:)``.
  package mutating func add(
    _ pattern: String, _ value: Value, in settings: ConfigurationObject, key: String
  ) throws {
    defer { values.append(value) }
    let isWhole = pattern.hasSuffix("$")
    guard let name = Self.spelled(isWhole ? pattern.dropLast() : pattern[...]) else {
      guard expressions.count < Self.mostExpressions else {
        throw settings.invalid(key, "one of at most \(Self.mostExpressions) regular expressions")
      }
      let rule = try ModuleRule(pattern, value, in: settings, key: key)
      return expressions.append((values.count, rule))
    }
    if isWhole {
      wholes[name] = wholes[name] ?? values.count
    } else {
      beginnings[name] = beginnings[name] ?? values.count
    }
  }

  /// What an expression without choices spells; `nil` for others.
  private static func spelled(_ pattern: Substring) -> String? {
    var (text, isEscaped) = ("", false)
    for character in pattern {
      if isEscaped || character.isLetter || character.isNumber || "_-".contains(character) {
        // `\d` and the like stand for several characters.
        guard !isEscaped || !character.isLetter && !character.isNumber else { return nil }
        text.append(character)
        isEscaped = false
      } else if character == "\\" {
        isEscaped = true
      } else {
        return nil
      }
    }
    return isEscaped || text.isEmpty ? nil : text
  }

  /// The value of the first rule for a module.
  ///
  /// - Complexity: O(length of the name + rules that are not names).
  package func value(for module: String) -> Value? {
    var first = wholes[module]
    if !beginnings.isEmpty {
      for end in module.indices {
        guard let place = beginnings[String(module[...end])] else { continue }
        first = min(first ?? place, place)
      }
    }
    for (place, rule) in expressions where place < first ?? .max && rule.matches(module) {
      first = place
      break
    }
    return first.map { values[$0] }
  }

  /// The names of whole modules that have rules.
  package var names: [String: Value] { wholes.mapValues { values[$0] } }
}

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
        "a regular expression of at most 500 characters without repeated groups and flags, and with at most 4 of *, +, ? and groups of alternatives; '\(String(pattern.prefix(80)).printable)' is not"
      )
    }
    (self.expression, self.value) = (expression, value)
  }

  /// Whether a search takes a time that is known: repeated groups may make it endless, and so may many places at which
  /// it can go on in several ways.
  private static func isBounded(_ pattern: String) -> Bool {
    guard pattern.utf8.count <= 500 else { return false }
    var choices = 0
    /// Whether each open group, and the whole, has alternatives.
    var groups = [false]
    var (previous, isClass, isKind) = (Character(" "), false, false)
    for character in pattern {
      let isEscaped = previous == "\\"
      // Flags such as (?x) change what other characters mean, and comments hide them.
      guard !isKind || ":=!<".contains(character) else { return false }
      switch character {
      // What follows \Q is quoted.
      case "Q" where isEscaped: return false
      case _ where isEscaped: break
      case "[": isClass = true
      case "]": isClass = false
      case _ where isClass: break
      case "*", "+", "{", "?":
        if character == "?", previous == "(" { break }
        guard previous != ")" || character == "?" else { return false }
        if !(character == "?" && "*+}?".contains(previous)) { choices += 1 }
      case "|":
        if !groups[groups.count - 1] { choices += 1 }
        groups[groups.count - 1] = true
      case "(": groups.append(false)
      case ")": if groups.count > 1 { groups.removeLast() }
      default: break
      }
      isKind = character == "?" && previous == "("
      // A backslash that is itself escaped escapes nothing.
      previous = isEscaped ? " " : character
    }
    return choices <= 4
  }

  /// Whether the rule is for a module.
  package func matches(_ module: String) -> Bool {
    (try? expression.prefixMatch(in: module)) != nil
  }
}
