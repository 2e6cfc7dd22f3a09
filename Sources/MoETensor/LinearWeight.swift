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
  /// Where the numbers are.
  var device: Device { get }

  /// Rows of the matrix, as an embedding looks them up.
  ///
  /// - Parameter ids: Places of outputs, i64, any shape.
  /// - Returns: Shape `[…, inputs]` after the shape of `ids`, in ``dtype``.
  func rows(at ids: Tensor) -> Tensor

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

  /// Where the value is.
  public var device: Device { value.device }

  /// Rows of the value, a matrix; gradients flow to it.
  public func rows(at ids: Tensor) -> Tensor { value.embedding(ids) }

  /// The product with the value, a matrix; gradients flow to both.
  public func product(_ x: Tensor, bias: Tensor?, as arithmetic: Arithmetic?) -> Tensor {
    x.linear(value, bias: bias, as: arithmetic)
  }
}
