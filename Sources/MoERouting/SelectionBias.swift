public import MoECore
public import MoETensor

/// Balancing without an auxiliary loss: a bias on the selection that adapts to the load.
public enum SelectionBias {
  /// The bias after a step: it decreases by `rate` for experts with more tokens than the mean, and
  /// increases for those with fewer.
  ///
  /// - Parameters:
  ///   - bias: The bias before, f32, shape `[experts]`.
  ///   - load: Tokens per expert in the step, over all micro-batches.
  ///   - rate: Size of the change, 0 or more; DeepSeek-V3 trained with 0.001.
  /// - Returns: Shape `[experts]`.
  /// - SeeAlso: Wang et al. 2024, *Auxiliary-Loss-Free Load Balancing Strategy for
  ///   Mixture-of-Experts*, algorithm 1, [arXiv:2408.15664](https://arxiv.org/abs/2408.15664).
  public static func updated(_ bias: Tensor, load: ExpertLoad, rate: Double) -> Tensor {
    let mean = Double(load.total) / Double(max(1, load.tokens.count))
    let change = load.tokens.map { tokens in
      Float(Double(tokens) < mean ? rate : Double(tokens) > mean ? -rate : 0)
    }
    return bias + Tensor(change).moved(to: bias.device)
  }
}
