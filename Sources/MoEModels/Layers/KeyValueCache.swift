public import MoETensor

/// Keys and values of all layers for the positions of one sequence seen so far, so that each new token costs one step.
public final class KeyValueCache {
  private let keys: [GrowingTensor]
  private let values: [GrowingTensor]
  /// How each position's numbers were added up, which is fixed from then on.
  public private(set) var arithmetic: [Arithmetic] = []

  /// An empty cache for a model of this many layers.
  public init(layers: Int) {
    keys = (0..<layers).map { _ in GrowingTensor(axis: 1) }
    values = (0..<layers).map { _ in GrowingTensor(axis: 1) }
  }

  /// Positions seen so far.
  public var count: Int { arithmetic.count }

  /// Adds keys and values, shape `[positions, heads, width]`, and returns all of a layer, `[heads, positions, width]`.
  func append(key: Tensor, value: Tensor, layer: Int) -> (key: Tensor, value: Tensor) {
    (keys[layer].append(key.transposed(0, 1)), values[layer].append(value.transposed(0, 1)))
  }

  /// Notes that all layers have seen more positions.
  func complete(_ positions: Int, as arithmetic: Arithmetic) {
    self.arithmetic += Array(repeating: arithmetic, count: positions)
  }
}

@available(*, unavailable)
extension KeyValueCache: Sendable {}
