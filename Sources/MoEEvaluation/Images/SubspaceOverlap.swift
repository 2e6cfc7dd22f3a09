import MoECore
public import MoETensor

/// How much the principal subspaces of two matrices overlap.
///
///     φ = ‖Uₐᵀ U_b‖²_F / k,      U: the first k left singular vectors
///
/// φ is 1 for the same subspace and 0 for orthogonal ones; for random ones it is k over the number
/// of rows.
///
/// - SeeAlso: Hu et al. 2021, *LoRA*, §7.2, [arXiv:2106.09685](https://arxiv.org/abs/2106.09685).
public enum SubspaceOverlap {
  /// The first left singular vectors of a matrix.
  ///
  /// - Parameters:
  ///   - matrix: Shape `[rows, columns]`, finite.
  ///   - count: k, at most the number of rows.
  /// - Returns: Orthonormal columns, f64, shape `[rows, k]`.
  public static func basis(of matrix: Tensor, count: Int) -> Tensor {
    withoutGradients {
      let wide = matrix.cast(to: .f64)
      let rows = wide.size(0)
      precondition(1...rows ~= count, "\(count) directions of \(rows) rows")
      // They are the last eigenvectors of W Wᵀ, whose eigenvalues are in ascending order.
      return wide.matmul(wide.transposed()).symmetricEigen().vectors
        .slice(axis: 1, rows - count..<rows)
    }
  }

  /// φ between all pairs of matrices of the same shape.
  ///
  /// - Parameters:
  ///   - matrices: Shape `[rows, columns]` each.
  ///   - count: k.
  /// - Returns: Values from 0 to 1, `[matrices][matrices]`.
  public static func overlaps(of matrices: [Tensor], count: Int) -> [[Double]] {
    let bases = matrices.map { basis(of: $0, count: count) }
    return bases.map { first in
      bases.map { second in
        let products = first.transposed().matmul(second)
        return (products * products).sum().item(as: Double.self) / Double(count)
      }
    }
  }
}
