import MoECore

private let copyOperator = Operator("copy_")

/// A tensor that grows along one axis, for caches: appending takes time only for the new elements.
///
/// Values that were read before are unaffected: appending writes after the elements visible in
/// them.
public final class GrowingTensor {
  /// The axis along which it grows.
  public let axis: Int
  /// Size along the axis.
  public private(set) var count = 0
  private var buffer: Tensor?

  /// Creates an empty tensor that grows along an axis, counted from 0.
  public init(axis: Int) {
    require(axis >= 0, "axis \(axis); it must count from the start")
    self.axis = axis
  }

  /// The elements so far: a view, without copying.
  ///
  /// - Precondition: Something was appended.
  public var value: Tensor {
    guard let buffer else { programmerError("the value of an empty growing tensor") }
    return buffer.slice(axis: axis, 0..<count)
  }

  /// Appends elements and returns all of them.
  ///
  /// - Parameter part: The new elements; all parts have the same type, device and shape except
  ///   along the axis.
  /// - Returns: All elements so far.
  /// - Complexity: O(elements of `part`), amortized.
  public func append(_ part: Tensor) -> Tensor {
    withoutGradients {
      let size = part.size(axis)
      let capacity = buffer?.size(axis) ?? 0
      if count + size > capacity {
        var shape = part.shape
        shape[axis] = max(2 * capacity, count + size, 64)
        let larger = Tensor.zeros(shape, dtype: part.dtype, on: part.device)
        if count > 0 { copyOperator.update(larger.slice(axis: axis, 0..<count), value) }
        buffer = larger
      }
      if let buffer, size > 0 {
        copyOperator.update(buffer.slice(axis: axis, count..<count + size), part)
      }
      count += size
      return value
    }
  }

  /// Removes all elements; tensors that were read before keep theirs.
  public func removeAll() { (buffer, count) = (nil, 0) }
}

@available(*, unavailable)
extension GrowingTensor: Sendable {}
