import MoECore

/// Counts for how many steps in a row each expert has had no tokens, to tell dead experts from unlucky ones.
public struct IdleExperts: Hashable, Codable, Sendable {
  /// Steps without tokens until an expert counts as dead.
  public static let patience = 100

  /// An expert by its place.
  public struct Expert: Hashable, Codable, Sendable {
    /// Number of the sparse layer, from 0.
    public var layer: Int
    /// Number of the expert in the layer.
    public var expert: Int
  }

  /// Idle steps, by layer and expert.
  public private(set) var steps: [[Int]] = []

  /// Starts without knowledge.
  public init() {}

  /// Experts that are dead at the moment.
  public var dead: [Expert] {
    steps.enumerated().flatMap { layer, counts in
      counts.indices.filter { counts[$0] >= Self.patience }.map { Expert(layer: layer, expert: $0) }
    }
  }

  /// Takes a step in, and returns the experts that died in it.
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
