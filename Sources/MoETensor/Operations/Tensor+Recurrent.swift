private let gruOperator = Operator("gru", "input")

/// The weights of one layer of gated recurrent units; gates in the order reset, update, new, as in
/// PyTorch.
public struct GRUWeights {
  /// Applied to the input, shape `[3 · hidden, inputs]`.
  public var input: Tensor
  /// Applied to the state, shape `[3 · hidden, hidden]`.
  public var hidden: Tensor
  /// Added to the input's contribution, shape `[3 · hidden]`.
  public var inputBias: Tensor
  /// Added to the state's contribution, shape `[3 · hidden]`.
  public var hiddenBias: Tensor

  /// Collects the weights of a layer.
  public init(input: Tensor, hidden: Tensor, inputBias: Tensor, hiddenBias: Tensor) {
    self.input = input
    self.hidden = hidden
    self.inputBias = inputBias
    self.hiddenBias = hiddenBias
  }
}

/// The output of a recurrent layer.
public struct RecurrentOutput {
  /// The state after every step, shape `[batch, steps, hidden]`.
  public var states: Tensor
  /// The state after the last step, shape `[batch, hidden]`.
  public var last: Tensor
}

extension Tensor {
  /// Runs a forward layer of gated recurrent units over sequences, shape `[batch, steps, inputs]`.
  ///
  ///     r = σ(W_ir x + b_ir + W_hr h + b_hr)
  ///     z = σ(W_iz x + b_iz + W_hz h + b_hz)
  ///     n = tanh(W_in x + b_in + r ⊙ (W_hn h + b_hn))
  ///     h ← (1 − z) ⊙ n + z ⊙ h
  ///
  /// - Parameters:
  ///   - weights: W and b.
  ///   - initial: h before the first step, shape `[batch, hidden]`; zeros if omitted.
  /// - Returns: The states after all steps and after the last.
  /// - SeeAlso: Cho et al. 2014, §2.3, [arXiv:1406.1078](https://arxiv.org/abs/1406.1078), with the
  ///   reset gate applied after the product, as in PyTorch.
  public func gru(_ weights: GRUWeights, initial: Tensor? = nil) -> RecurrentOutput {
    let state =
      initial
      ?? Tensor.zeros([size(0), weights.hidden.size(1)], dtype: dtype, on: device)
    let parameters = [weights.input, weights.hidden, weights.inputBias, weights.hiddenBias]
    let results = gruOperator.results(
      2, self, state.expandingAxis(0), parameters, true, 1, 0.0, false, false, true)
    return RecurrentOutput(states: results[0], last: results[1].removingAxis(0))
  }
}
