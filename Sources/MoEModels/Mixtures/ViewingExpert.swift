public import MoETensor

/// The part of its samples that an expert reads.
public enum ExpertInput {
  /// One vector per sample, `[samples, width]`.
  case pooled(Tensor)
  /// A vector per position of every sample.
  case sequence(PackedRows)
}

/// An expert that declares what it reads, so that experts of different kinds can stand under one gate.
public protocol ViewingExpert {
  /// What it reads.
  var view: InputView { get }

  /// Answers for samples.
  ///
  /// - Parameter input: The samples, in this expert's view.
  /// - Returns: Shape `[samples, outputs]`.
  func callAsFunction(_ input: ExpertInput) -> Tensor
}

/// A feed-forward network that reads the pooled view.
public struct PooledExpert: ViewingExpert {
  /// The network, `width → outputs`.
  public let network: FeedForward

  /// Wraps a network.
  public init(_ network: FeedForward) { self.network = network }

  /// One vector per sample.
  public var view: InputView { .pooled }

  /// Answers for samples: `[samples, width] → [samples, outputs]`.
  public func callAsFunction(_ input: ExpertInput) -> Tensor {
    guard case .pooled(let x) = input else { preconditionFailure("a sequence for a pooled expert") }
    return network(x)
  }
}

/// Gated recurrent units that read the sequence, and a linear layer on their state after the last position.
public struct RecurrentExpert: ViewingExpert {
  /// Applied to the input, `[3 · hidden, width]`, gates in the order reset, update, new.
  public let input: Linear
  /// Applied to the state, `[3 · hidden, hidden]`.
  public let hidden: Linear
  /// `[outputs, hidden]`.
  public let output: Linear

  /// Wraps weights; all of the units' have biases.
  public init(input: Linear, hidden: Linear, output: Linear) {
    precondition(input.bias != nil && hidden.bias != nil, "recurrent units without biases")
    (self.input, self.hidden, self.output) = (input, hidden, output)
  }

  /// A vector per position.
  public var view: InputView { .sequence }

  /// Answers for samples, from their last valid positions: `[samples, outputs]`.
  public func callAsFunction(_ input: ExpertInput) -> Tensor {
    guard case .sequence(let x) = input, let inputBias = self.input.bias?.value,
      let hiddenBias = hidden.bias?.value
    else { preconditionFailure("a pooled vector for a recurrent expert") }
    let weights = GRUWeights(
      input: self.input.weight.value, hidden: hidden.weight.value, inputBias: inputBias,
      hiddenBias: hiddenBias)
    return output(x.rows.lastStates(weights, lengths: x.lengths))
  }
}
