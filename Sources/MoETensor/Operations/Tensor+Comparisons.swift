private let equalTensor = Operator("eq", "Tensor")
private let notEqualTensor = Operator("ne", "Tensor")
private let lessTensor = Operator("lt", "Tensor")
private let lessEqualTensor = Operator("le", "Tensor")
private let greaterTensor = Operator("gt", "Tensor")
private let greaterEqualTensor = Operator("ge", "Tensor")
private let equalScalar = Operator("eq", "Scalar")
private let notEqualScalar = Operator("ne", "Scalar")
private let lessScalar = Operator("lt", "Scalar")
private let lessEqualScalar = Operator("le", "Scalar")
private let greaterScalar = Operator("gt", "Scalar")
private let greaterEqualScalar = Operator("ge", "Scalar")
private let andOperator = Operator("logical_and")
private let orOperator = Operator("logical_or")
private let notOperator = Operator("logical_not")
private let isFiniteOperator = Operator("isfinite")
private let anyOperator = Operator("any")
private let allOperator = Operator("all")
private let whereOperator = Operator("where", "self")
private let maskedFillOperator = Operator("masked_fill", "Scalar")
private let nonzeroOperator = Operator("nonzero")

/// Comparisons, element by element and broadcast, with Boolean results; spelled as for SIMD
/// vectors.
extension Tensor {
  /// Whether elements are equal.
  public static func .== (left: Tensor, right: Tensor) -> Tensor { equalTensor(left, right) }
  /// Whether elements differ.
  public static func .!= (left: Tensor, right: Tensor) -> Tensor { notEqualTensor(left, right) }
  /// Whether left elements are smaller.
  public static func .< (left: Tensor, right: Tensor) -> Tensor { lessTensor(left, right) }
  /// Whether left elements are smaller or equal.
  public static func .<= (left: Tensor, right: Tensor) -> Tensor { lessEqualTensor(left, right) }
  /// Whether left elements are larger.
  public static func .> (left: Tensor, right: Tensor) -> Tensor { greaterTensor(left, right) }
  /// Whether left elements are larger or equal.
  public static func .>= (left: Tensor, right: Tensor) -> Tensor { greaterEqualTensor(left, right) }
  /// Whether elements equal a number.
  public static func .== (left: Tensor, right: Double) -> Tensor { equalScalar(left, right) }
  /// Whether elements differ from a number.
  public static func .!= (left: Tensor, right: Double) -> Tensor { notEqualScalar(left, right) }
  /// Whether elements are smaller than a number.
  public static func .< (left: Tensor, right: Double) -> Tensor { lessScalar(left, right) }
  /// Whether elements are at most a number.
  public static func .<= (left: Tensor, right: Double) -> Tensor { lessEqualScalar(left, right) }
  /// Whether elements are larger than a number.
  public static func .> (left: Tensor, right: Double) -> Tensor { greaterScalar(left, right) }
  /// Whether elements are at least a number.
  public static func .>= (left: Tensor, right: Double) -> Tensor { greaterEqualScalar(left, right) }
  /// Whether elements equal an integer.
  public static func .== (left: Tensor, right: Int) -> Tensor { equalScalar(left, right) }
  /// Whether elements differ from an integer.
  public static func .!= (left: Tensor, right: Int) -> Tensor { notEqualScalar(left, right) }
  /// Whether elements are smaller than an integer.
  public static func .< (left: Tensor, right: Int) -> Tensor { lessScalar(left, right) }
  /// Whether elements are at most an integer.
  public static func .<= (left: Tensor, right: Int) -> Tensor { lessEqualScalar(left, right) }
  /// Whether elements are larger than an integer.
  public static func .> (left: Tensor, right: Int) -> Tensor { greaterScalar(left, right) }
  /// Whether elements are at least an integer.
  public static func .>= (left: Tensor, right: Int) -> Tensor { greaterEqualScalar(left, right) }

  /// Whether both elements are true, broadcast.
  public static func .& (left: Tensor, right: Tensor) -> Tensor { andOperator(left, right) }
  /// Whether at least one of the elements is true, broadcast.
  public static func .| (left: Tensor, right: Tensor) -> Tensor { orOperator(left, right) }
  /// Whether elements are false.
  public static prefix func .! (operand: Tensor) -> Tensor { notOperator(operand) }

  /// Whether elements are neither infinite nor NaN.
  public func isFinite() -> Tensor { isFiniteOperator(self) }

  /// Whether at least one element is true (or not 0).
  public func any() -> Bool { anyOperator(self).item() }

  /// Whether all elements are true (or not 0); true for an empty tensor.
  public func all() -> Bool { allOperator(self).item() }

  /// Elements of `ifTrue` where this Boolean tensor is true, of `ifFalse` elsewhere; all broadcast.
  public func select(_ ifTrue: Tensor, else ifFalse: Tensor) -> Tensor {
    whereOperator(self, ifTrue, ifFalse)
  }

  /// The elements, with `value` wherever `mask` (Boolean, broadcast to this shape) is true.
  public func filled(with value: Double, where mask: Tensor) -> Tensor {
    maskedFillOperator(self, mask, value)
  }

  /// The indices of all elements that are true (or not 0), row-major, shape `[found, rank]`, i64.
  public func nonzeroIndices() -> Tensor { nonzeroOperator(self) }
}
