public import MoETensor

/// Gradients limited to a norm, and the norm that they had.
public struct ClippedGradients {
  /// The gradients, scaled down together if their norm was too large.
  public var gradients: [Tensor]
  /// Euclidean norm of all gradients before; NaN or infinite if any element was.
  public var norm: Double
}

/// Scales gradients down together until their common Euclidean norm is at most `maximumNorm`.
///
///     factor = min(1, maximumNorm / (norm + 1e-6)),  norm = √Σ g²  over all elements
///
/// - Parameters:
///   - gradients: One tensor per weight.
///   - maximumNorm: The limit; infinite for none.
/// - Returns: The gradients to use, and the norm before.
/// - SeeAlso: Pascanu et al. 2013, *On the difficulty of training recurrent neural networks*, §3.2,
///   [arXiv:1211.5063](https://arxiv.org/abs/1211.5063); the 1e-6 is PyTorch's.
public func clipped(_ gradients: [Tensor], maximumNorm: Double) -> ClippedGradients {
  guard !gradients.isEmpty else { return ClippedGradients(gradients: [], norm: 0) }
  return withoutGradients {
    let norm = Tensor.norms(of: gradients).norm()
    let value = Double(norm.item(as: Float.self))
    guard maximumNorm.isFinite, !(value + 1e-6 <= maximumNorm) else {
      return ClippedGradients(gradients: gradients, norm: value)
    }
    let factor = (maximumNorm / (norm + 1e-6)).clamped(max: 1)
    return ClippedGradients(gradients: Tensor.scaled(gradients, by: factor), norm: value)
  }
}
