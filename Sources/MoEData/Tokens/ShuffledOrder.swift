import MoECore

/// The numbers below a count, shuffled anew in every epoch, in an order that depends only on a seed
/// and the epoch.
public struct ShuffledOrder: Sendable {
  /// Numbers per epoch.
  public let count: Int
  /// Determines all orders.
  public let seed: UInt64
  /// The next position.
  public private(set) var position: DataPosition
  private var order: [UInt32]

  /// Starts, or continues, at a position.
  ///
  /// - Precondition: `count` is from 1 to 2³², and the position is valid.
  public init(count: Int, seed: UInt64, position: DataPosition = DataPosition()) {
    precondition(1...(1 << 32) ~= count && position.epoch >= 0 && 0...count ~= position.index)
    (self.count, self.seed, self.position) = (count, seed, position)
    order = Self.order(count: count, seed: seed, epoch: position.epoch)
  }

  /// The next number.
  ///
  /// - Complexity: O(1), and O(count) at the beginning of an epoch.
  public mutating func next() -> Int {
    if position.index == count {
      position = DataPosition(epoch: position.epoch + 1)
      order = Self.order(count: count, seed: seed, epoch: position.epoch)
    }
    defer { position.index += 1 }
    return Int(order[position.index])
  }

  /// A Fisher–Yates shuffle, whose order does not depend on the version of the standard library.
  ///
  /// - SeeAlso: Durstenfeld 1964, *Algorithm 235: Random permutation*.
  static func order(count: Int, seed: UInt64, epoch: Int) -> [UInt32] {
    var generator = SeededGenerator(seed: seed &+ UInt64(epoch) &* 0x9E37_79B9_7F4A_7C15)
    var order = (0..<count).map { UInt32($0) }
    for place in stride(from: count - 1, to: 0, by: -1) {
      // The high half of the product is below the bound; its bias is below 2⁻³².
      let other = Int(generator.next().multipliedFullWidth(by: UInt64(place + 1)).high)
      order.swapAt(place, other)
    }
    return order
  }
}
