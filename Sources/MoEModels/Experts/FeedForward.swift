public import MoETensor

/// A feed-forward network: one of the layer's experts, a shared expert, or the whole of a dense layer.
public struct FeedForward {
  /// The two forms.
  public enum Form: String, Hashable, Codable, Sendable, CaseIterable {
    /// down(activation(gate(x)) ⊙ up(x)); with SiLU it is called SwiGLU.
    case gated
    /// down(activation(up(x))).
    case plain
  }

  /// Gate projection, `[inner, hidden]`; absent in the plain form.
  public let gate: Linear?
  /// Up projection, `[inner, hidden]`.
  public let up: Linear
  /// Down projection, `[hidden, inner]`.
  public let down: Linear
  /// The activation function.
  public let activation: Activation

  /// Wraps weights.
  public init(gate: Linear?, up: Linear, down: Linear, activation: Activation) {
    (self.gate, self.up, self.down, self.activation) = (gate, up, down, activation)
  }

  /// Applies the network: `[…, hidden] → […, hidden]`.
  public func callAsFunction(_ x: Tensor, as arithmetic: Arithmetic? = nil) -> Tensor {
    let raised = up(x, as: arithmetic)  // […, inner]
    let inner =
      gate.map { activation($0(x, as: arithmetic), times: raised, as: arithmetic) }
      ?? activation(raised, as: arithmetic)
    return down(inner, as: arithmetic)
  }
}

extension FeedForward: Expert {
  /// One vector per row.
  public var view: InputView { .pooled }

  /// Computes outputs for rows: `[rows, width] → [rows, outputs]`.
  public func callAsFunction(_ input: ExpertInput, as arithmetic: Arithmetic?) -> Tensor {
    guard case .pooled(let x) = input else {
      preconditionFailure("a feed-forward expert does not read sequences")
    }
    return self(x, as: arithmetic)
  }
}
