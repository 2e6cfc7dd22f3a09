private let crossEntropyOperator = Operator("cross_entropy_loss")
private let meanSquaredOperator = Operator("mse_loss")

/// Training losses.
extension Tensor {
  /// How the losses of single cases are combined.
  public enum LossReduction: Int, Hashable, Sendable {
    /// Not combined; the result has one loss per case.
    case none = 0
    /// Their mean.
    case mean = 1
    /// Their sum.
    case sum = 2
  }

  /// The negative log-softmax at the target class, for logits of shape `[cases, classes]`.
  ///
  /// - Parameters:
  ///   - targets: The target classes, i64, shape `[cases]`; cases with -100 are ignored.
  ///   - reduction: How the losses are combined. The mean is over cases that are not ignored, NaN
  ///     if there are none.
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
