import MoECore
import MoERouting
public import MoETensor

/// The terms that a layer's routing adds to the loss, before coefficients.
extension DiffusionExperts.Output {
  /// A term of the loss.
  ///
  /// - Parameters:
  ///   - term: Its name, as in the rule's list of terms.
  ///   - parameters: Values of its parameters by name; absent ones have their defaults.
  /// - Returns: Shape `[]`, or `nil` if the rule has no such term.
  public func loss(_ term: String, parameters: [String: Double] = [:]) -> Tensor? {
    guard let known = type(of: rule).terms.first(where: { $0.name == term }) else { return nil }
    if term == RoutingTerm.balance().name { return balanceLoss }
    let defaults = known.parameters.map { ($0.name, $0.value) }
    return rule.loss(
      term, of: routed,
      parameters: Dictionary(defaults) { first, _ in first }.merging(parameters) { $1 })
  }

  /// The load-balancing loss over the tokens that the rule assigned: 1 for perfect balance.
  public var balanceLoss: Tensor {
    RoutingLosses.loadBalance(
      probabilities: conditional.probabilities, load: conditional.load, denominator: .assignments)
  }
}
