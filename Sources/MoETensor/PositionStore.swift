import MoECore

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

private let copyOperator = Operator("copy_")

/// The keys or values of a sequence's positions, for all heads: appending takes time only for the new positions.
package final class PositionStore {
  /// Positions so far.
  package private(set) var count = 0
  /// Shape `[heads, capacity, width]`, where what follows the last position means nothing; `nil` while there is none.
  package private(set) var elements: Tensor?

  /// Creates an empty store.
  package init() {}

  /// Creates a store with the first positions of another, which goes its own way from there.
  ///
  /// - Parameters:
  ///   - other: The store to copy from.
  ///   - count: How many of its positions.
  ///   - room: Positions that will be appended, for which memory is taken at once.
  /// - Complexity: O(copied elements).
  package init(copying other: PositionStore, first count: Int, room: Int = 0) {
    precondition(0...other.count ~= count, "\(count) of \(other.count) positions")
    guard let source = other.elements, count > 0 else { return }
    withoutGradients {
      let copy = Tensor.zeros(
        [source.size(0), count + room, source.size(2)], dtype: source.dtype, on: source.device)
      copyOperator.update(copy.slice(axis: 1, 0..<count), source.slice(axis: 1, 0..<count))
      (elements, self.count) = (copy, count)
    }
  }

  /// Appends some of the rows of several sequences.
  ///
  /// - Parameters:
  ///   - rows: Shape `[rows, heads, width]`; all have the same type, device, heads and width.
  ///   - range: The rows to append.
  /// - Complexity: O(appended elements), amortized.
  package func append(_ rows: Tensor, _ range: Range<Int>) {
    withoutGradients {
      let shape = rows.shape
      reserve(count + range.count, like: rows)
      if let elements, !copy(rows, range, into: elements) {
        copyOperator.update(
          elements.slice(axis: 1, count..<count + range.count), rows[range].transposed(0, 1))
      }
      require(elements?.shape[2] == shape[2], "positions of \(shape) in a store of another width")
      count += range.count
    }
  }

  /// Makes room for positions.
  private func reserve(_ positions: Int, like rows: Tensor) {
    let capacity = elements?.size(1) ?? 0
    guard positions > capacity else { return }
    let larger = Tensor.zeros(
      [rows.size(1), max(2 * capacity, positions, 64), rows.size(2)], dtype: rows.dtype,
      on: rows.device)
    if let elements, count > 0 {
      copyOperator.update(
        larger.slice(axis: 1, 0..<count), elements.slice(axis: 1, 0..<count))
    }
    elements = larger
  }

  /// Copies rows in memory; `false` if they are stored elsewhere.
  private func copy(_ rows: Tensor, _ range: Range<Int>, into elements: Tensor) -> Bool {
    guard rows.dtype == elements.dtype, let from = unsafe rows.hostElements,
      let to = unsafe elements.freshElements
    else { return false }
    defer { extendLifetime((rows, elements)) }
    let (heads, width, capacity) = (rows.size(1), rows.size(2), elements.size(1))
    let bytes = width * rows.dtype.byteSize
    for row in range {
      for head in 0..<heads {
        let place = head * capacity + count + row - range.lowerBound
        unsafe memcpy(to + place * bytes, from + (row * heads + head) * bytes, bytes)
      }
    }
    return true
  }
}

@available(*, unavailable)
extension PositionStore: Sendable {}
