public import MoECore

/// The rules by which sparse blocks of a ``DiffusionTransformer`` can assign tokens to experts.
public enum DiffusionRules {
  /// The rules that come with the library, in the order in which they are listed.
  static let builtIn: [any DiffusionRule.Type] = [
    ProMoERule.self, ProMoEExpertChoiceRule.self, TCDiTRule.self, ECDiTRule.self, DiffMoERule.self,
    ClassificationRule.self, KMeansRule.self,
  ]

  /// The rules by their names in `config.json`; others can be registered.
  public static let registry: Registry<any DiffusionRule.Type> = {
    let registry = Registry<any DiffusionRule.Type>("router", [:])
    for rule in builtIn { registry.register(rule.name, rule) }
    return registry
  }()

  /// The loss terms of all rules, each name once, in the order of the rules.
  public static var terms: [RoutingTerm] {
    registry.all.flatMap { $0.terms }.reduce(into: []) { known, term in
      if !known.contains(where: { $0.name == term.name }) { known.append(term) }
    }
  }

  /// The rule whose tensors are present, by ``DiffusionRule/signature``.
  ///
  /// - Parameter isPresent: Whether a block has a tensor with this name.
  /// - Returns: The rule, or `nil` if none matches.
  static func recognised(by isPresent: (String) -> Bool) -> (any DiffusionRule.Type)? {
    var best: (any DiffusionRule.Type)?
    for rule in registry.all where rule.signature.allSatisfy(isPresent) {
      if rule.signature.count > best?.signature.count ?? 0 { best = rule }
    }
    return best
  }

  /// Whether a tensor of this name is a buffer of one of the rules.
  static func isBuffer(_ name: String) -> Bool {
    registry.all.contains { $0.buffers.contains { name.hasSuffix("." + $0) } }
  }

  /// The names of the rules that use a key, for messages.
  static func names(reading key: DiffusionRuleKey) -> String {
    registry.all.filter { $0.keys.contains(key) }.map { "'\($0.name)'" }.joined(separator: ", ")
  }
}
