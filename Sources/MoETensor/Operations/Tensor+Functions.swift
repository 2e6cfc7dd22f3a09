private let expOperator = Operator("exp")
private let logOperator = Operator("log")
private let log1pOperator = Operator("log1p")
private let sqrtOperator = Operator("sqrt")
private let rsqrtOperator = Operator("rsqrt")
private let sinOperator = Operator("sin")
private let cosOperator = Operator("cos")
private let absOperator = Operator("abs")
private let signOperator = Operator("sign")
private let floorOperator = Operator("floor")
private let roundOperator = Operator("round")
private let erfOperator = Operator("erf")

/// Element-wise functions; shape and type are kept.
extension Tensor {
  /// e raised to every element.
  public func exp() -> Tensor { expOperator(self) }
  /// The natural logarithm.
  public func log() -> Tensor { logOperator(self) }
  /// The natural logarithm of one plus the element, accurate for small elements.
  public func log1p() -> Tensor { log1pOperator(self) }
  /// The square root.
  public func sqrt() -> Tensor { sqrtOperator(self) }
  /// One divided by the square root.
  public func rsqrt() -> Tensor { rsqrtOperator(self) }
  /// The sine of an angle in radians.
  public func sin() -> Tensor { sinOperator(self) }
  /// The cosine of an angle in radians.
  public func cos() -> Tensor { cosOperator(self) }
  /// The magnitude; its gradient at 0 is 0.
  public func abs() -> Tensor { absOperator(self) }
  /// -1, 0 or 1.
  public func sign() -> Tensor { signOperator(self) }
  /// The largest integer that is not larger.
  public func floor() -> Tensor { floorOperator(self) }
  /// The nearest integer; ties go to the even one.
  public func rounded() -> Tensor { roundOperator(self) }
  /// The error function, 2/√π · ∫₀ˣ exp(-t²) dt.
  public func erf() -> Tensor { erfOperator(self) }
}
