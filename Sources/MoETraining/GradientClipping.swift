public import MoETensor

/// Gradients clipped to a maximum norm, and their norm before.
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
    let scale = ClippingScale(norms: Tensor.norms(of: gradients), maximumNorm: maximumNorm)
    return ClippedGradients(
      gradients: scale.factor.map { Tensor.scaled(gradients, by: $0) } ?? gradients,
      norm: scale.norm)
  }
}

/// The common factor by which gradients are scaled down.
struct ClippingScale {
  /// Euclidean norm of all gradients.
  var norm: Double
  /// The factor, shape `[]`; `nil` where the norm is small enough.
  var factor: Tensor?

  /// - Parameters:
  ///   - norms: The norm of each gradient, f32, shape `[gradients]`.
  ///   - maximumNorm: The largest norm of all; infinite for no limit.
  init(norms: Tensor, maximumNorm: Double) {
    let whole = norms.norm()
    norm = Double(whole.item(as: Float.self))
    guard maximumNorm.isFinite, !(norm + 1e-6 <= maximumNorm) else { return }
    factor = (maximumNorm / (whole + 1e-6)).clamped(max: 1)
  }
}
