public import MoECore

/// The matrix of a linear layer, however its numbers are stored.
///
/// A ``Parameter`` is the dense form, which training can change. Layers ask for products and never look at the
/// numbers; a kernel that needs the dense form asks whether the weight is one.
public protocol LinearWeight {
  /// Outputs and inputs.
  var shape: [Int] { get }
  /// Type of the results for inputs that the layer computes with.
  var dtype: DType { get }

  /// Applies the matrix: `x · weightᵀ + bias`.
  ///
  /// - Parameters:
  ///   - x: Shape `[…, inputs]`.
  ///   - bias: Shape `[outputs]`, if there is one.
  ///   - arithmetic: How sums are ordered; `nil` where nobody relies on an order.
  /// - Returns: Shape `[…, outputs]`.
  func product(_ x: Tensor, bias: Tensor?, as arithmetic: Arithmetic?) -> Tensor
}

extension Parameter: LinearWeight {
  /// Shape of the value.
  public var shape: [Int] { value.shape }
  /// Type of the value.
  public var dtype: DType { value.dtype }

  /// The product with the value, a matrix; gradients flow to both.
  public func product(_ x: Tensor, bias: Tensor?, as arithmetic: Arithmetic?) -> Tensor {
    x.linear(value, bias: bias, as: arithmetic)
  }
}
