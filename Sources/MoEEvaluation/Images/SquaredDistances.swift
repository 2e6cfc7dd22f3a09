import MoETensor

extension Tensor {
  /// Squared distances of all rows to all vectors of a set.
  ///
  /// - Parameter set: Shape `[vectors, width]`; the receiver's is `[rows, width]`.
  /// - Returns: Shape `[rows, vectors]`, at least 0.
  func squaredDistances(to set: Tensor) -> Tensor {
    let products = matmul(set.transposed())
    let lengths = (self * self).sum(axis: 1, keepAxes: true) + (set * set).sum(axis: 1)
    return (lengths - products * 2).clamped(min: 0)
  }
}
