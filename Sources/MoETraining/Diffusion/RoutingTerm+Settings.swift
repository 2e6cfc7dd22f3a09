import MoECore
import MoEModels

extension RoutingTerm {
  /// The terms of a rule, with the coefficients and parameters of a training.
  ///
  /// - Parameters:
  ///   - router: The rule; `nil` for a dense model, which has no terms.
  ///   - changed: Coefficients and parameters by name.
  /// - Returns: The rule's terms in their order.
  /// - Throws: `SettingError` for a name that no term has, or a value out of range.
  static func terms(
    of router: DiffusionExpertsConfiguration.Router?, changed: [String: Double]
  ) throws(SettingError) -> [RoutingTerm] {
    let terms = router?.rule.terms ?? []
    for (name, value) in changed.sorted(by: { $0.key < $1.key }) {
      try check(name, value, terms)
    }
    return terms.map { term in
      var term = term
      term.coefficient = changed[term.name] ?? term.coefficient
      term.parameters = term.parameters.map { NamedValue($0.name, changed[$0.name] ?? $0.value) }
      return term
    }
  }

  private static func check(
    _ name: String, _ value: Double, _ terms: [RoutingTerm]
  ) throws(SettingError) {
    let known = terms.flatMap(\.settings)
    guard let setting = known.first(where: { $0.name == name }) else {
      let names = known.map(\.name).joined(separator: ", ")
      throw SettingError(
        key: name, value: "\(value)",
        expected: names.isEmpty ? "absent for a dense model" : "absent; the router has \(names)")
    }
    guard setting.isParameter ? value > 0 : value >= 0 else {
      throw SettingError(
        key: name, value: "\(value)", expected: setting.isParameter ? "above 0" : "at least 0")
    }
  }

  /// The term's settings in a configuration: its coefficient, then its parameters.
  var settings: [(name: String, isParameter: Bool)] {
    [(name, false)] + parameters.map { ($0.name, true) }
  }
}
