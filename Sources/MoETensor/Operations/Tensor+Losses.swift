private let crossEntropyOperator = Operator("cross_entropy_loss")
private let meanSquaredOperator = Operator("mse_loss")

/// Training losses.
extension Tensor {
  /// How single losses become one result.
  public enum LossReduction: Int, Hashable, Sendable {
    /// They do not; the result has one loss per case.
    case none = 0
    /// Their mean.
    case mean = 1
    /// Their sum.
    case sum = 2
  }

  /// The negative logarithm of the softmax at the right class, for logits of shape `[cases, classes]`.
  ///
  /// - Parameters:
  ///   - targets: The right classes, i64, shape `[cases]`; cases with -100 do not count.
  ///   - reduction: How the losses of the cases become one. The mean is over the cases that count, NaN if
  ///     none does.
  /// - Returns: Shape `[]`, or `[cases]` without reduction.
  public func crossEntropy(targets: Tensor, reduction: LossReduction = .mean) -> Tensor {
    crossEntropyOperator(self, targets, Int?.none, reduction.rawValue, -100)
  }

  /// The squared differences from targets of the same shape.
  public func meanSquaredError(_ targets: Tensor, reduction: LossReduction = .mean) -> Tensor {
    require(shape == targets.shape, "predictions of shape \(shape), targets of \(targets.shape)")
    return meanSquaredOperator(self, targets, reduction.rawValue)
  }
}
