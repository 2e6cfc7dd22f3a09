public import MoETensor

/// A linear layer: `x · weightᵀ + bias`.
public struct Linear {
  /// `[outputs, inputs]`, dense or in another form.
  public let weight: any LinearWeight
  /// Shape `[outputs]`, if there is one.
  public let bias: Parameter?

  /// Wraps weights.
  public init(weight: any LinearWeight, bias: Parameter? = nil) {
    (self.weight, self.bias) = (weight, bias)
  }

  /// The weight, if it is dense.
  public var denseWeight: Parameter? { weight as? Parameter }

  /// Applies the layer: `[…, inputs] → […, outputs]`.
  public func callAsFunction(_ x: Tensor, as arithmetic: Arithmetic? = nil) -> Tensor {
    weight.product(x, bias: bias?.value, as: arithmetic)
  }
}
