import MoECore

private let sumAll = Operator("sum")
private let sumAxes = Operator("sum", "dim_IntList")
private let meanAll = Operator("mean")
private let meanAxes = Operator("mean", "dim")
private let varianceAxes = Operator("var", "correction")
private let maxAxes = Operator("amax")
private let minAxes = Operator("amin")
private let argmaxOperator = Operator("argmax")
private let logSumExpOperator = Operator("logsumexp")
private let normOperator = Operator("linalg_vector_norm")
private let cumulativeSumOperator = Operator("cumsum")
private let bincountOperator = Operator("bincount")

/// Sums, extremes and counts. Reduced axes disappear, or keep size 1 with `keepAxes`.
extension Tensor {
  /// The sum of all elements, shape `[]`; integers and Booleans give i64.
  public func sum() -> Tensor { sumAll(self, none) }

  /// Sums along axes.
  public func sum(axes: [Int], keepAxes: Bool = false) -> Tensor {
    axes.isEmpty ? self : sumAxes(self, axes, keepAxes)
  }

  /// Sums along one axis.
  public func sum(axis: Int, keepAxes: Bool = false) -> Tensor { sumAxes(self, [axis], keepAxes) }

  /// The mean of all elements, shape `[]`; NaN for no elements.
  public func mean() -> Tensor { meanAll(self, none) }

  /// Means along axes.
  public func mean(axes: [Int], keepAxes: Bool = false) -> Tensor {
    axes.isEmpty ? self : meanAxes(self, axes, keepAxes)
  }

  /// Means along one axis.
  public func mean(axis: Int, keepAxes: Bool = false) -> Tensor { meanAxes(self, [axis], keepAxes) }

  /// Variances along one axis: squared distances from the mean, summed and divided by
  /// `size - correction` (0: population variance, 1: sample variance with Bessel's correction).
  public func variance(axis: Int, correction: Int = 0, keepAxes: Bool = false) -> Tensor {
    varianceAxes(self, [axis], correction, keepAxes)
  }

  /// The largest elements along one axis, which must not have size 0; equal ones share the
  /// gradient.
  public func max(axis: Int, keepAxes: Bool = false) -> Tensor { maxAxes(self, [axis], keepAxes) }

  /// The smallest elements along one axis, which must not have size 0; equal ones share the
  /// gradient.
  public func min(axis: Int, keepAxes: Bool = false) -> Tensor { minAxes(self, [axis], keepAxes) }

  /// Whether no element is infinite or NaN; true for an empty tensor.
  ///
  /// It reads the elements twice and stores nothing, other than ``isFinite()``.
  public var isAllFinite: Bool {
    guard count > 0 else { return true }
    return withoutGradients {
      // Extremes keep NaN; f64 holds those of every type.
      [maxAxes(self, [Int](), false), minAxes(self, [Int](), false)].allSatisfy {
        $0.cast(to: .f64).item(as: Double.self).isFinite
      }
    }
  }

  /// The indices of the largest elements along one axis, i64; the first of equal ones.
  public func argmax(axis: Int, keepAxes: Bool = false) -> Tensor {
    argmaxOperator(self, axis, keepAxes)
  }

  /// The logarithm of the sum of exp(x) along one axis, without overflow.
  public func logSumExp(axis: Int, keepAxes: Bool = false) -> Tensor {
    logSumExpOperator(self, [axis], keepAxes)
  }

  /// The Euclidean norm of all elements, shape `[]`.
  public func norm() -> Tensor { normOperator(self) }

  /// Euclidean norms along one axis; the gradient at a zero vector is 0.
  public func norm(axis: Int, keepAxes: Bool = false) -> Tensor {
    normOperator(self, 2, [axis], keepAxes)
  }

  /// Cumulative sums along an axis; the shape is kept.
  public func cumulativeSum(axis: Int) -> Tensor { cumulativeSumOperator(self, axis, none) }

  /// The number of occurrences of each integer, shape `[max(minimumLength, largest + 1)]`, i64.
  ///
  /// - Precondition: The tensor has one axis and holds non-negative integers.
  public func bincount(minimumLength: Int = 0) -> Tensor {
    bincountOperator(self, none, minimumLength)
  }
}
