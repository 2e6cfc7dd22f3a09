private let matmulOperator = Operator("matmul")
private let linearOperator = Operator("linear")
private let baddbmmOperator = Operator("baddbmm")
private let choleskyOperator = Operator("linalg_cholesky_ex")
private let choleskyInverseOperator = Operator("cholesky_inverse")
private let triangularSolveOperator = Operator("linalg_solve_triangular")
private let symmetricEigenOperator = Operator("linalg_eigh")

/// Matrix products and triangular systems.
extension Tensor {
  /// The matrix product `[…, n, k] × […, k, m] → […, n, m]`; leading axes are broadcast.
  ///
  /// A tensor with one axis is treated as a row on the left and as a column on the right, and that
  /// axis is dropped from the result.
  public func matmul(_ other: Tensor) -> Tensor { matmulOperator(self, other) }

  /// `x · weightᵀ + bias`.
  ///
  /// - Parameters:
  ///   - weight: Shape `[outputs, inputs]`.
  ///   - bias: Shape `[outputs]`.
  ///   - arithmetic: How sums are ordered; by default as is fastest for the number of rows.
  /// - Returns: Shape `[…, outputs]` for this tensor's shape `[…, inputs]`.
  public func linear(
    _ weight: Tensor, bias: Tensor? = nil, as arithmetic: Arithmetic? = nil
  ) -> Tensor {
    customLinear(weight, bias: bias, as: arithmetic) ?? linearOperator(self, weight, bias)
  }

  /// The layer in the way that its arithmetic or the table names, if that way applies.
  private func customLinear(
    _ weight: Tensor, bias: Tensor?, as arithmetic: Arithmetic?
  ) -> Tensor? {
    guard weight.rank == 2, let inputs = shape.last, inputs > 0, inputs == weight.size(1) else {
      return nil
    }
    let isRecorded = Tensor.recordsGradients([self, weight] + (bias.map { [$0] } ?? []))
    // What somebody relies on cannot be forced.
    let way =
      (isRecorded ? nil : arithmetic?.way) ?? LinearWay.forced
      ?? LinearWay.best(
        dtype, isRecorded: isRecorded, rows: count / inputs, inputs: inputs, outputs: weight.size(0)
      )
    switch way {
    case .dots: return dotsLinear(weight, bias: bias)
    case .packedRows:
      return packedRowsLinear(weight, bias: bias) ?? dotsLinear(weight, bias: bias)
        ?? oneDNNLinear(weight, bias: bias)
    case .oneDNN: return oneDNNLinear(weight, bias: bias)
    case .general: return nil
    }
  }

  /// This tensor plus the products of a batch of matrices: `[b, n, m] + [b, n, k] × [b, k, m]`.
  public func addingProducts(_ left: Tensor, _ right: Tensor) -> Tensor {
    baddbmmOperator(self, left, right)
  }

  /// A Cholesky factor, and whether it exists.
  public struct CholeskyFactor {
    /// L with L · Lᵀ = A and zeros above the diagonal, shape `[…, n, n]`.
    public var factor: Tensor
    /// Whether every matrix of the batch was positive definite; otherwise the factor is
    /// meaningless.
    public var isPositiveDefinite: Bool
  }

  /// Factorizes symmetric positive definite matrices, shape `[…, n, n]`, f32 or f64; only the lower
  /// triangles are read.
  public func cholesky() -> CholeskyFactor {
    let results = choleskyOperator.results(2, self)
    return CholeskyFactor(factor: results[0], isPositiveDefinite: !results[1].any())
  }

  /// The inverse of A, given this lower Cholesky factor of A, shape `[n, n]`.
  public func choleskyInverse() -> Tensor { choleskyInverseOperator(self) }

  /// Which triangle of a matrix is used; the other one is not read.
  public enum Triangle: Hashable, Sendable {
    /// The diagonal and the elements below.
    case lower
    /// The diagonal and the elements above.
    case upper
  }

  /// Solves A · X = B for X, where this tensor is the triangular A, shape `[…, n, n]`.
  ///
  /// - Parameters:
  ///   - triangle: The triangle that A occupies.
  ///   - right: B, shape `[…, n, m]`.
  /// - Returns: X, shape `[…, n, m]`. A zero on the diagonal gives infinities.
  public func solvingTriangular(_ triangle: Triangle, _ right: Tensor) -> Tensor {
    triangularSolveOperator(self, right, triangle == .upper)
  }

  /// Eigenvalues and eigenvectors of a symmetric matrix.
  public struct SymmetricEigen {
    /// In ascending order, shape `[…, n]`.
    public var values: Tensor
    /// Orthonormal columns in the order of the values, shape `[…, n, n]`; their signs are
    /// arbitrary.
    public var vectors: Tensor
  }

  /// Eigenvalues and eigenvectors of symmetric matrices, shape `[…, n, n]`, f32 or f64; only their
  /// lower triangles are read.
  ///
  /// - Precondition: All elements are finite.
  public func symmetricEigen() -> SymmetricEigen {
    let results = symmetricEigenOperator.results(2, self, "L")
    return SymmetricEigen(values: results[0], vectors: results[1])
  }
}
