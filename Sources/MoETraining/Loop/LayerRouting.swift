public import MoECore
import MoETensor
public import MoERouting

/// What the router of one layer did in a step.
public struct LayerRouting: Hashable, Codable, Sendable {
  /// Tokens per expert.
  public var load: ExpertLoad
  /// Mean entropy of the tokens' probabilities, in nats: 0 if each token gives one expert all, ln E
  /// if all are uniform.
  public var entropy: Double
  /// Fraction of tokens that are not processed by any expert, from 0 to 1.
  public var droppedShare: Double

  /// Creates a record of what a router did.
  public init(load: ExpertLoad, entropy: Double, droppedShare: Double) {
    (self.load, self.entropy, self.droppedShare) = (load, entropy, droppedShare)
  }

  /// Measures an assignment.
  public init(_ routing: Routing) {
    let entropy = withoutGradients {
      RoutingLosses.entropy(probabilities: routing.probabilities).item(as: Float.self)
    }
    self.init(
      load: routing.load, entropy: Double(entropy), droppedShare: Self.droppedShare(routing))
  }

  static func droppedShare(_ routing: Routing) -> Double {
    guard case .byExpert(let chosen) = routing.choice, routing.tokenCount > 0 else { return 0 }
    var isServed = [Bool](repeating: false, count: routing.tokenCount)
    for tokens in chosen { for token in tokens { isServed[token] = true } }
    return Double(isServed.count { !$0 }) / Double(routing.tokenCount)
  }

  /// The routing of several batches of equal size, combined.
  ///
  /// - Precondition: There is at least one, and all have the same layers.
  static func merged(_ batches: [[LayerRouting]]) -> [LayerRouting] {
    guard batches.count > 1 else { return batches.first ?? [] }
    let share = 1 / Double(batches.count)
    return batches[0].indices.map { layer in
      let parts = batches.map { $0[layer] }
      return LayerRouting(
        load: parts.dropFirst().reduce(parts[0].load) { $0 + $1.load },
        entropy: parts.reduce(0) { $0 + $1.entropy } * share,
        droppedShare: parts.reduce(0) { $0 + $1.droppedShare } * share)
    }
  }
}
