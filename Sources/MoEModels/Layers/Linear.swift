public import MoETensor

/// A linear layer: `x · weightᵀ + bias`.
public struct Linear {
  /// Shape `[outputs, inputs]`.
  public let weight: Parameter
  /// Shape `[outputs]`, if there is one.
  public let bias: Parameter?

  /// Wraps weights.
  public init(weight: Parameter, bias: Parameter? = nil) {
    (self.weight, self.bias) = (weight, bias)
  }

  /// Applies the layer: `[…, inputs] → […, outputs]`.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    x.linear(weight.value, bias: bias?.value)
  }
}
