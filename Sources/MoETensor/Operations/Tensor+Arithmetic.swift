private let addTensor = Operator("add", "Tensor")
private let addScalar = Operator("add", "Scalar")
private let subtractTensor = Operator("sub", "Tensor")
private let subtractScalar = Operator("sub", "Scalar")
private let reverseSubtract = Operator("rsub", "Scalar")
private let multiplyTensor = Operator("mul", "Tensor")
private let multiplyScalar = Operator("mul", "Scalar")
private let divideTensor = Operator("div", "Tensor")
private let divideScalar = Operator("div", "Scalar")
private let divideRounding = Operator("div", "Tensor_mode")
private let remainderScalar = Operator("remainder", "Scalar")
private let negate = Operator("neg")
private let powerScalar = Operator("pow", "Tensor_Scalar")
private let reciprocalOperator = Operator("reciprocal")
private let maximumOperator = Operator("maximum")
private let minimumOperator = Operator("minimum")
private let clampOperator = Operator("clamp")

/// Element-by-element arithmetic.
///
/// Two tensors are broadcast as in NumPy: shapes are aligned at their last axis, and an axis of
/// size 1 (or a missing one) repeats. Types are promoted as in PyTorch; a Swift number never
/// changes the type of a floating-point tensor.
extension Tensor {
  /// The sum, broadcast.
  public static func + (left: Tensor, right: Tensor) -> Tensor { addTensor(left, right) }
  /// Adds a number to every element.
  public static func + (left: Tensor, right: Double) -> Tensor { addScalar(left, right) }
  /// Adds an integer to every element.
  public static func + (left: Tensor, right: Int) -> Tensor { addScalar(left, right) }
  /// Adds a number to every element.
  public static func + (left: Double, right: Tensor) -> Tensor { addScalar(right, left) }
  /// Adds an integer to every element.
  public static func + (left: Int, right: Tensor) -> Tensor { addScalar(right, left) }

  /// The difference, broadcast.
  public static func - (left: Tensor, right: Tensor) -> Tensor { subtractTensor(left, right) }
  /// Subtracts a number from every element.
  public static func - (left: Tensor, right: Double) -> Tensor { subtractScalar(left, right) }
  /// Subtracts an integer from every element.
  public static func - (left: Tensor, right: Int) -> Tensor { subtractScalar(left, right) }
  /// Subtracts every element from a number.
  public static func - (left: Double, right: Tensor) -> Tensor { reverseSubtract(right, left) }
  /// Subtracts every element from an integer.
  public static func - (left: Int, right: Tensor) -> Tensor { reverseSubtract(right, left) }

  /// The product of elements, broadcast.
  public static func * (left: Tensor, right: Tensor) -> Tensor { multiplyTensor(left, right) }
  /// Multiplies every element by a number.
  public static func * (left: Tensor, right: Double) -> Tensor { multiplyScalar(left, right) }
  /// Multiplies every element by an integer.
  public static func * (left: Tensor, right: Int) -> Tensor { multiplyScalar(left, right) }
  /// Multiplies every element by a number.
  public static func * (left: Double, right: Tensor) -> Tensor { multiplyScalar(right, left) }
  /// Multiplies every element by an integer.
  public static func * (left: Int, right: Tensor) -> Tensor { multiplyScalar(right, left) }

  /// The quotient of elements, broadcast; of integers it is an f32 fraction.
  public static func / (left: Tensor, right: Tensor) -> Tensor { divideTensor(left, right) }
  /// Divides every element by a number.
  public static func / (left: Tensor, right: Double) -> Tensor { divideScalar(left, right) }
  /// Divides every element by an integer.
  public static func / (left: Tensor, right: Int) -> Tensor { divideScalar(left, right) }
  /// Divides a number by every element.
  public static func / (left: Double, right: Tensor) -> Tensor { right.reciprocal() * left }

  /// The negated elements.
  public static prefix func - (operand: Tensor) -> Tensor { negate(operand) }

  /// The quotient rounded down to an integer, broadcast; the type is kept.
  public func floorDivided(by divisor: Tensor) -> Tensor { divideRounding(self, divisor, "floor") }

  /// The remainder of a floored division by an integer; it has the divisor's sign.
  public func remainder(dividingBy divisor: Int) -> Tensor { remainderScalar(self, divisor) }

  /// Every element raised to a power.
  public func pow(_ exponent: Double) -> Tensor { powerScalar(self, exponent) }

  /// One divided by every element.
  public func reciprocal() -> Tensor { reciprocalOperator(self) }

  /// The larger of two elements, broadcast; NaN if either is, and equal elements share the
  /// gradient.
  public func maximum(_ other: Tensor) -> Tensor { maximumOperator(self, other) }

  /// The smaller of two elements, broadcast; NaN if either is, and equal elements share the
  /// gradient.
  public func minimum(_ other: Tensor) -> Tensor { minimumOperator(self, other) }

  /// The elements, limited to a range with either end open.
  public func clamped(min: Double? = nil, max: Double? = nil) -> Tensor {
    clampOperator(self, min, max)
  }
}
