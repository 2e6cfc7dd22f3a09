private let gatherOperator = Operator("gather")
private let indexSelectOperator = Operator("index_select")
private let indexAddOperator = Operator("index_add")
private let scatterOperator = Operator("scatter", "src")
private let scatterAddOperator = Operator("scatter_add")
private let embeddingOperator = Operator("embedding")
private let sortOperator = Operator("sort", "stable")
private let topkOperator = Operator("topk")
private let oneHotOperator = Operator("one_hot")

/// Selecting, sorting and scattering elements. Index tensors hold i64.
extension Tensor {
  /// Sorted elements and their original positions.
  public struct Sorted {
    /// The elements.
    public var values: Tensor
    /// Their original indices along the sorted axis, i64, same shape as ``values``.
    public var indices: Tensor
  }

  /// `result[i, j] = self[indices[i, j], j]` for axis 0; other axes and ranks accordingly.
  ///
  /// - Parameters:
  ///   - indices: i64, of the same rank, and along other axes at most as large as this tensor.
  ///   - axis: The axis that the indices refer to.
  /// - Returns: A tensor of the indices' shape.
  public func gather(_ indices: Tensor, axis: Int) -> Tensor { gatherOperator(self, axis, indices) }

  /// The slices of an axis given by a list of indices, in its order; slices may repeat.
  ///
  /// - Parameters:
  ///   - indices: i64, shape `[n]`.
  ///   - axis: The axis.
  /// - Returns: A tensor of this shape, except size n along the axis.
  public func selecting(_ indices: Tensor, axis: Int = 0) -> Tensor {
    indexSelectOperator(self, axis, indices)
  }

  /// Adds `source[i]` to slice `indices[i]` of an axis, for every i; indices may repeat.
  ///
  /// - Parameters:
  ///   - source: This tensor's shape, except n slices along the axis.
  ///   - indices: i64, shape `[n]`.
  ///   - axis: The axis.
  /// - Returns: A tensor of this shape.
  public func adding(_ source: Tensor, at indices: Tensor, axis: Int = 0) -> Tensor {
    indexAddOperator(self, axis, indices, source)
  }

  /// Replaces `self[indices[i, j], j]` by `source[i, j]` for axis 0; other axes accordingly.
  ///
  /// If an index repeats, it is unspecified which element is kept.
  public func scattering(_ source: Tensor, at indices: Tensor, axis: Int) -> Tensor {
    scatterOperator(self, axis, indices, source)
  }

  /// Adds `source[i, j]` to `self[indices[i, j], j]` for axis 0; other axes accordingly.
  public func scatterAdding(_ source: Tensor, at indices: Tensor, axis: Int) -> Tensor {
    scatterAddOperator(self, axis, indices, source)
  }

  /// Rows of this table, shape `[rows, width]`.
  ///
  /// - Parameter indices: i64, any shape.
  /// - Returns: The rows, shape `indices.shape + [width]`.
  public func embedding(_ indices: Tensor) -> Tensor { embeddingOperator(self, indices) }

  /// Sorts along an axis; equal elements keep their order.
  public func sorted(axis: Int = -1, descending: Bool = false) -> Sorted {
    let results = sortOperator.results(2, self, true, axis, descending)
    return Sorted(values: results[0], indices: results[1])
  }

  /// The indices that sort an axis, i64; equal elements keep their order.
  public func argsort(axis: Int = -1, descending: Bool = false) -> Tensor {
    sorted(axis: axis, descending: descending).indices
  }

  /// The `k` largest elements along an axis, largest first.
  ///
  /// It is unspecified which of equal elements are chosen; if that matters, use
  /// ``sorted(axis:descending:)``.
  ///
  /// - Precondition: `k` is at most the size of the axis.
  public func topK(_ k: Int, axis: Int = -1) -> Sorted {
    let results = topkOperator.results(2, self, k, axis)
    return Sorted(values: results[0], indices: results[1])
  }

  /// A one at each index, zeros elsewhere: shape `shape + [classes]`, i64.
  ///
  /// - Precondition: This tensor holds i64 from 0 to `classes - 1`.
  public func oneHot(classes: Int) -> Tensor { oneHotOperator(self, classes) }
}
