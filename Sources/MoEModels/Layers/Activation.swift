import CKernels
public import MoETensor

/// The activation function of a feed-forward network, by its name in `config.json`.
public enum Activation: String, Hashable, Codable, Sendable, CaseIterable {
  /// x · sigmoid(x).
  case silu
  /// x · Φ(x), exactly.
  case gelu
  /// x · Φ(x), approximated by a hyperbolic tangent.
  case geluTanh = "gelu_pytorch_tanh"
  /// max(x, 0).
  case relu
  /// The hyperbolic tangent.
  case tanh

  /// Applies the function to every element.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .silu: x.silu()
    case .gelu: x.gelu()
    case .geluTanh: x.gelu(.tanh)
    case .relu: x.relu()
    case .tanh: x.tanh()
    }
  }

  /// Applies the function and multiplies, if there is a factor, in a given arithmetic.
  func callAsFunction(
    _ x: Tensor, times factor: Tensor? = nil, as arithmetic: Arithmetic?
  ) -> Tensor {
    if arithmetic != nil, let result = x.activatedByKernel(element, times: factor) { return result }
    return factor.map { self(x) * $0 } ?? self(x)
  }

  /// The kernels' name of the function.
  private var element: ckernels_activation {
    switch self {
    case .silu: CKERNELS_SILU
    case .gelu: CKERNELS_GELU
    case .geluTanh: CKERNELS_GELU_TANH
    case .relu: CKERNELS_RELU
    case .tanh: CKERNELS_TANH
    }
  }
}
