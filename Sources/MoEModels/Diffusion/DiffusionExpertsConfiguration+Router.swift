extension DiffusionExpertsConfiguration {
  /// A rule as a value in a configuration; two are equal if they are the same type.
  public struct Router: Hashable, Sendable {
    /// The rule's type.
    public let rule: any DiffusionRule.Type

    /// Wraps a rule; a file can name it once it is in ``DiffusionRules/registry``.
    public init(_ rule: any DiffusionRule.Type) { self.rule = rule }

    /// The rules that come with the library.
    public static var builtIn: [Router] { DiffusionRules.builtIn.map { Router($0) } }

    /// Its name in `config.json`.
    public var name: String { rule.name }
    /// A description of a model with this rule.
    public var title: String { rule.title }
    /// Whether images without a label may have a separate expert, and all tokens a shared one.
    public var hasRoles: Bool { rule.hasRoles }

    /// Whether both are the same rule.
    public static func == (one: Router, other: Router) -> Bool { one.rule == other.rule }

    /// Hashes the identity of the type.
    public func hash(into hasher: inout Hasher) { hasher.combine(ObjectIdentifier(rule)) }
  }
}
