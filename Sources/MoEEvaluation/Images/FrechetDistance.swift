import MoECore
public import MoETensor

/// The Fréchet distance between two sets of vectors, treated as normal distributions.
///
///     d² = |μ₁ − μ₂|² + tr(C₁ + C₂ − 2 (C₁ C₂)^½)
///
/// With the features of an image network it measures how similar generated images are to real ones,
/// as a set; with those of Inception-v3 it is the FID. Distances are comparable only for sets of
/// the same size and the same network, because small sets have a positive bias, about inversely
/// proportional to their size.
///
/// - SeeAlso: Heusel et al. 2017, *GANs Trained by a Two Time-Scale Update Rule*, §2,
///   [arXiv:1706.08500](https://arxiv.org/abs/1706.08500); Dowson and Landau 1982, *The Fréchet
///   Distance between Multivariate Normal Distributions*.
public enum FrechetDistance {
  /// The squared distance between two sets.
  ///
  /// The root is taken of √C₁ C₂ √C₁, which has the same trace and is symmetric; eigenvalues that
  /// are negative due to rounding count as 0. Covariances are divided by the number of vectors
  /// minus one.
  ///
  /// - Parameters:
  ///   - first: Shape `[vectors, width]`, at least two, finite.
  ///   - second: Shape `[vectors, width]`; the number of vectors may differ.
  /// - Returns: d², at least 0.
  /// - Complexity: O(vectors · width² + width³), in f64.
  public static func between(_ first: Tensor, _ second: Tensor) -> Double {
    withoutGradients {
      let (a, b) = (Moments(first), Moments(second))
      let difference = a.mean - b.mean
      let root = Self.root(a.covariance)
      let product = root.matmul(b.covariance).matmul(root)
      let symmetric = (product + product.transposed()) * 0.5
      let shared = symmetric.symmetricEigen().values.clamped(min: 0).sqrt().sum()
      let traces = a.trace + b.trace - shared.item(as: Double.self) * 2
      return Swift.max(0, (difference * difference).sum().item(as: Double.self) + traces)
    }
  }

  /// The symmetric square root of a covariance.
  private static func root(_ matrix: Tensor) -> Tensor {
    let eigen = matrix.symmetricEigen()
    let scaled = eigen.vectors * eigen.values.clamped(min: 0).sqrt()
    return scaled.matmul(eigen.vectors.transposed())
  }

  /// The mean and the covariance, in f64.
  private struct Moments {
    let mean: Tensor
    let covariance: Tensor

    init(_ vectors: Tensor) {
      let count = vectors.size(0)
      precondition(vectors.rank == 2 && count >= 2, "moments of vectors of \(vectors.shape)")
      let rows = vectors.cast(to: .f64)
      mean = rows.mean(axis: 0)
      let centred = rows - mean
      covariance = centred.transposed().matmul(centred) / Double(count - 1)
    }

    var trace: Double {
      (covariance * Tensor.identity(covariance.size(0), dtype: .f64)).sum().item(as: Double.self)
    }
  }
}
