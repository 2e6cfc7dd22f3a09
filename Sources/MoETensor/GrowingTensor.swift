import MoECore

private let copyOperator = Operator("copy_")

/// A tensor that grows along one axis, for caches: appending costs time in what is appended only.
///
/// What was read before stays as it was: appending writes behind the elements that anyone can see.
public final class GrowingTensor {
  /// The axis along which it grows.
  public let axis: Int
  /// Size along the axis.
  public private(set) var count = 0
  private var buffer: Tensor?

  /// An empty tensor that will grow along an axis, counted from 0.
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

  /// Adds elements at the end and returns all of them.
  ///
  /// - Parameter part: All parts have the same shape but for the axis, the same type and device.
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

  /// Forgets all elements; tensors that were read before keep theirs.
  public func removeAll() { (buffer, count) = (nil, 0) }
}

@available(*, unavailable)
extension GrowingTensor: Sendable {}
