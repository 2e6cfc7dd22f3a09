public import MoETensor

/// Keys and values of all layers for the positions of one sequence seen so far, so that each new token costs one step.
public final class KeyValueCache {
  private let keys: [PositionStore]
  private let values: [PositionStore]
  /// How each position's numbers were added up, which is fixed from then on.
  public private(set) var arithmetic: [Arithmetic] = []

  /// An empty cache for a model of this many layers.
  public init(layers: Int) {
    keys = (0..<layers).map { _ in PositionStore() }
    values = (0..<layers).map { _ in PositionStore() }
  }

  /// A cache with the first positions of another, which goes its own way from there.
  ///
  /// Texts that begin alike are read once up to where they part, each with the bits that it has alone.
  ///
  /// - Parameters:
  ///   - other: The cache of a text with the same beginning.
  ///   - count: Positions to take over, at most ``count`` of the other.
  ///   - room: Positions that will be added, for which memory is taken at once.
  /// - Complexity: O(layers · positions · width of keys and values).
  public init(copying other: KeyValueCache, first count: Int, room: Int = 0) {
    precondition(0...other.count ~= count, "\(count) of \(other.count) positions")
    func copies(_ stores: [PositionStore]) -> [PositionStore] {
      stores.map { PositionStore(copying: $0, first: count, room: room) }
    }
    (keys, values) = (copies(other.keys), copies(other.values))
    arithmetic = Array(other.arithmetic.prefix(count))
  }

  /// Positions seen so far.
  public var count: Int { arithmetic.count }

  /// Adds some rows of keys and values, shape `[rows, heads, width]`, and returns all positions of a layer.
  func append(
    key: Tensor, value: Tensor, _ rows: Range<Int>, layer: Int
  ) -> (keys: PositionStore, values: PositionStore) {
    keys[layer].append(key, rows)
    values[layer].append(value, rows)
    return (keys[layer], values[layer])
  }

  /// Notes that all layers have seen more positions.
  func complete(_ positions: Int, as arithmetic: Arithmetic) {
    self.arithmetic += Array(repeating: arithmetic, count: positions)
  }
}

@available(*, unavailable)
extension KeyValueCache: Sendable {}
