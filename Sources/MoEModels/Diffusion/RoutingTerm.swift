public import MoECore

/// A term that a routing rule adds to the loss, as it appears in configurations and tables.
public struct RoutingTerm: Hashable, Sendable {
  /// Its name in tables, and its coefficient's key in the section `losses` of a configuration.
  public var name: String
  /// The default coefficient, at least 0; with 0 the term is left out.
  public var coefficient: Double
  /// Other parameters, above 0, with their defaults; their names are keys of the same section.
  public var parameters: [NamedValue]
  /// What a model without the term lacks, in the plural or as a name, for messages: "prototypes".
  public var needs: String

  /// Creates a term.
  public init(_ name: String, coefficient: Double, parameters: [NamedValue] = [], needs: String) {
    (self.name, self.coefficient) = (name, coefficient)
    (self.parameters, self.needs) = (parameters, needs)
  }

  /// The load-balancing loss over the tokens that the rule assigned, which needs only an
  /// assignment.
  public static func balance(_ coefficient: Double = 0) -> RoutingTerm {
    RoutingTerm("balance", coefficient: coefficient, needs: "experts")
  }
}
