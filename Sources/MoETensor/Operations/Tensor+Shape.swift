import CTorch

private let permuteOperator = Operator("permute")
private let transposeOperator = Operator("transpose", "int")
private let expandOperator = Operator("expand")
private let unsqueezeOperator = Operator("unsqueeze")
private let squeezeOperator = Operator("squeeze", "dim")
private let contiguousOperator = Operator("contiguous")
private let cloneOperator = Operator("clone")
/// libtorch's raw value for row-major order.
private let contiguousFormat = 0
private let sliceOperator = Operator("slice", "Tensor")
private let splitOperator = Operator("split_with_sizes")
private let concatenateOperator = Operator("cat")
private let stackOperator = Operator("stack")
private let padOperator = Operator("constant_pad_nd")
private let trilOperator = Operator("tril")
private let triuOperator = Operator("triu")
private let flipOperator = Operator("flip")

/// Other arrangements of the same elements. Most are views that share memory with their source.
extension Tensor {
  /// The elements, row-major, in another shape; one size may be -1 and is inferred.
  public func reshaped(_ shape: [Int]) -> Tensor {
    unsafe Tensor.direct("reshape", "\(self.shape), \(shape)") { out in
      unsafe shape.withUnsafeSizes { sizes, rank in
        unsafe withHandle { unsafe ctorch_tensor_reshape($0, sizes, rank, out) }
      }
    }
  }

  /// The elements with axis `order[i]` as axis i.
  public func permuted(_ order: [Int]) -> Tensor { permuteOperator(self, order) }

  /// The elements with two axes exchanged; by default the last two.
  public func transposed(_ first: Int = -2, _ second: Int = -1) -> Tensor {
    transposeOperator(self, first, second)
  }

  /// Repeats axes of size 1, and new leading axes, up to `shape`, without copying.
  public func expanded(_ shape: [Int]) -> Tensor { expandOperator(self, shape) }

  /// Inserts an axis of size 1 at index `axis` of the result.
  public func expandingAxis(_ axis: Int) -> Tensor { unsqueezeOperator(self, axis) }

  /// Removes an axis of size 1.
  ///
  /// - Precondition: The axis has size 1.
  public func removingAxis(_ axis: Int) -> Tensor {
    require(size(axis) == 1, "axis \(axis) of shape \(shape) has not size 1")
    return squeezeOperator(self, axis)
  }

  /// The tensor with its elements row-major in memory; the tensor itself if they already are.
  public func contiguous() -> Tensor {
    let isContiguous = unsafe hostElements != nil
    return isContiguous ? self : contiguousOperator(self)
  }

  /// A row-major copy of the elements.
  public func copied() -> Tensor { cloneOperator(self, contiguousFormat) }

  /// The elements with indices in `range` along an axis, every `step`-th of them.
  ///
  /// - Precondition: The range lies inside the axis and `step` is at least 1.
  public func slice(axis: Int, _ range: Range<Int>, step: Int = 1) -> Tensor {
    let size = size(axis)
    require(
      range.lowerBound >= 0 && range.upperBound <= size, "slice \(range) of an axis of size \(size)"
    )
    return sliceOperator(self, axis, range.lowerBound, range.upperBound, step)
  }

  /// The elements with one index along an axis, which disappears; a negative index counts from the
  /// end.
  public func at(_ index: Int, axis: Int = 0) -> Tensor {
    unsafe Tensor.direct("select", "\(shape), axis \(axis), \(index)") { out in
      unsafe withHandle { unsafe ctorch_tensor_select($0, Int64(axis), Int64(index), out) }
    }
  }

  /// The elements with one index along the first axis.
  public subscript(index: Int) -> Tensor { at(index) }

  /// The elements with indices in `range` along the first axis.
  public subscript(range: Range<Int>) -> Tensor { slice(axis: 0, range) }

  /// Splits an axis into pieces of the given sizes, which add up to its size.
  public func split(sizes: [Int], axis: Int) -> [Tensor] {
    splitOperator.results(sizes.count, self, sizes, axis)
  }

  /// Splits an axis into `count` pieces of equal size.
  ///
  /// - Precondition: `count` divides the size of the axis.
  public func split(count: Int, axis: Int) -> [Tensor] {
    let size = size(axis)
    require(count > 0 && size.isMultiple(of: count), "an axis of size \(size) in \(count) pieces")
    return split(sizes: Array(repeating: size / count, count: count), axis: axis)
  }

  /// Joins tensors along an existing axis; their other sizes must be equal.
  ///
  /// - Precondition: There is at least one tensor.
  public static func concatenated(_ tensors: [Tensor], axis: Int) -> Tensor {
    concatenateOperator(tensors, axis)
  }

  /// Joins tensors of the same shape along a new axis.
  ///
  /// - Precondition: There is at least one tensor.
  public static func stacked(_ tensors: [Tensor], axis: Int = 0) -> Tensor {
    stackOperator(tensors, axis)
  }

  /// Adds `before` and `after` elements of the given value at the ends of an axis.
  public func padded(axis: Int, before: Int, after: Int, with value: Double = 0) -> Tensor {
    // libtorch expects the padding from the last axis to the first.
    let fromEnd = axis < 0 ? -axis - 1 : rank - 1 - axis
    let padding = Array(repeating: 0, count: 2 * fromEnd) + [before, after]
    return padOperator(self, padding, value)
  }

  /// The elements on and below a diagonal of the last two axes, zeros above it; 0 is the main
  /// diagonal.
  public func lowerTriangle(diagonal: Int = 0) -> Tensor { trilOperator(self, diagonal) }

  /// The elements on and above a diagonal of the last two axes, zeros below it; 0 is the main
  /// diagonal.
  public func upperTriangle(diagonal: Int = 0) -> Tensor { triuOperator(self, diagonal) }

  /// The elements in reverse order along an axis.
  public func reversed(axis: Int) -> Tensor { flipOperator(self, [axis]) }
}
