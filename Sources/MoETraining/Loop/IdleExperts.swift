import MoECore

/// Counts for how many steps in a row each expert has had no tokens, to tell dead experts from unlucky ones.
public struct IdleExperts: Hashable, Codable, Sendable {
  /// Number of steps without tokens after which an expert counts as dead.
  public static let patience = 100

  /// An expert, identified by layer and index.
  public struct Expert: Hashable, Codable, Sendable {
    /// Index of the sparse layer, from 0.
    public var layer: Int
    /// Index of the expert in the layer.
    public var expert: Int
  }

  /// Idle steps, by layer and expert.
  public private(set) var steps: [[Int]] = []

  /// Starts with no idle steps.
  public init() {}

  /// Experts that are currently dead.
  public var dead: [Expert] {
    steps.enumerated().flatMap { layer, counts in
      counts.indices.filter { counts[$0] >= Self.patience }.map { Expert(layer: layer, expert: $0) }
    }
  }

  /// Whether no expert was without tokens for a negative number of steps, or for more than there were.
  func isPossible(afterSteps count: Int) -> Bool {
    steps.allSatisfy { $0.allSatisfy { 0...max(0, count) ~= $0 } }
  }

  /// Records a step and returns the experts that died in it.
  public mutating func take(_ routing: [LayerRouting]) -> [Expert] {
    if steps.map(\.count) != routing.map(\.load.tokens.count) {
      steps = routing.map { Array(repeating: 0, count: $0.load.tokens.count) }
    }
    var died: [Expert] = []
    for (layer, entry) in routing.enumerated() {
      for (expert, tokens) in entry.load.tokens.enumerated() {
        steps[layer][expert] = tokens == 0 ? steps[layer][expert] + 1 : 0
        if steps[layer][expert] == Self.patience {
          died.append(.init(layer: layer, expert: expert))
        }
      }
    }
    return died
  }
}
