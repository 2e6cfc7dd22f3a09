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
}
