import MoETensor

/// Keys and values of all layers for the positions seen so far, so that each new token costs one step.
public final class KeyValueCache {
  private let keys: [GrowingTensor]
  private let values: [GrowingTensor]

  /// An empty cache for a model of this many layers.
  public init(layers: Int) {
    keys = (0..<layers).map { _ in GrowingTensor(axis: 2) }
    values = (0..<layers).map { _ in GrowingTensor(axis: 2) }
  }

  /// Positions seen so far.
  public var count: Int { keys.first?.count ?? 0 }

  /// Positions that a layer has seen so far.
  func count(ofLayer layer: Int) -> Int { keys[layer].count }

  /// Adds keys and values, shape `[batch, heads, positions, width]`, and returns all of a layer.
  func append(key: Tensor, value: Tensor, layer: Int) -> (key: Tensor, value: Tensor) {
    (keys[layer].append(key), values[layer].append(value))
  }
}

@available(*, unavailable)
extension KeyValueCache: Sendable {}
