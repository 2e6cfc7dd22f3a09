public import MoECore

/// The numbers of a packed weight, multiplied in f32 as a dense weight's are: what packed products are compared with.
///
/// The weight is unpacked for every product, so that a model needs no more memory than with packed weights.
public struct UnpackedWeight: LinearWeight {
  /// The packed form.
  public let packed: PackedWeight

  /// Wraps a packed weight.
  public init(_ packed: PackedWeight) { self.packed = packed }

  /// Outputs and inputs.
  public var shape: [Int] { packed.shape }
  /// The type of a model's other numbers.
  public var dtype: DType { packed.dtype }
  /// Where the weight is.
  public var device: Device { packed.device }

  /// The product with the unpacked numbers.
  public func product(_ x: Tensor, bias: Tensor?, as arithmetic: Arithmetic?) -> Tensor {
    x.linear(packed.dequantized().cast(to: x.dtype), bias: bias, as: arithmetic)
  }

  /// Rows of the matrix.
  public func rows(at ids: Tensor) -> Tensor { packed.rows(at: ids) }
}
