public import MoETensor

/// A gated recurrent unit (GRU) that reads the sequence, and a linear layer on its state after the
/// last position.
public struct RecurrentExpert: Expert {
  /// The weights of the GRU.
  public struct Units {
    /// Applied to the input, `[3 · hidden, width]`, gates in the order reset, update, new.
    public let input: Parameter
    /// Applied to the state, `[3 · hidden, hidden]`.
    public let hidden: Parameter
    /// Added to the product with the input, `[3 · hidden]`.
    public let inputBias: Parameter
    /// Added to the product with the state, `[3 · hidden]`.
    public let hiddenBias: Parameter

    /// Wraps weights.
    public init(input: Parameter, hidden: Parameter, inputBias: Parameter, hiddenBias: Parameter) {
      (self.input, self.hidden) = (input, hidden)
      (self.inputBias, self.hiddenBias) = (inputBias, hiddenBias)
    }

    var values: GRUWeights {
      GRUWeights(
        input: input.value, hidden: hidden.value, inputBias: inputBias.value,
        hiddenBias: hiddenBias.value)
    }
  }

  /// The GRU.
  public let units: Units
  /// `[outputs, hidden]`.
  public let output: Linear

  /// Wraps weights.
  public init(_ units: Units, output: Linear) { (self.units, self.output) = (units, output) }

  /// A vector per position.
  public var view: InputView { .sequence }

  /// Computes outputs for samples, from their last valid positions: `[samples, outputs]`.
  public func callAsFunction(_ input: ExpertInput, as arithmetic: Arithmetic?) -> Tensor {
    guard case .sequence(let x) = input else {
      preconditionFailure("a recurrent expert does not read pooled vectors")
    }
    return output(x.rows.lastStates(units.values, lengths: x.lengths), as: arithmetic)
  }
}
