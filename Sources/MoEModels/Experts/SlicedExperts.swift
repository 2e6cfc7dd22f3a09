public import MoERouting
public import MoETensor

/// Runs experts one after another, each on the slice of its rows: the plain reference, for experts
/// of any kind.
public struct SlicedExperts: ExpertBank {
  /// The experts, in the order of the gate's columns.
  public let experts: [any Expert]
  /// Output width.
  public let outputs: Int

  /// Creates a bank of experts.
  public init(_ experts: [any Expert], outputs: Int) {
    (self.experts, self.outputs) = (experts, outputs)
  }

  /// Number of experts.
  public var count: Int { experts.count }

  /// Runs every expert that has rows, in their order.
  public func run(_ rows: ExpertRows, _ dispatch: Dispatch) -> Tensor {
    guard dispatch.counts.contains(where: { $0 > 0 }) else {
      return Tensor.zeros(
        [dispatch.tokenCount, outputs], dtype: rows.pooled.dtype, on: rows.pooled.device)
    }
    guard let sequence = rows.sequence else {
      // All read the same view, which is gathered once.
      return dispatch.run(rows.pooled) { expert, slice in
        experts[expert](.pooled(slice), as: rows.arithmetic)
      }
    }
    return dispatch.run(answerWidth: outputs) { expert, chosen in
      switch experts[expert].view {
      case .pooled:
        let places = Tensor(chosen).moved(to: rows.pooled.device)
        return experts[expert](.pooled(rows.pooled.selecting(places)), as: rows.arithmetic)
      case .sequence: return experts[expert](.sequence(sequence(chosen)), as: rows.arithmetic)
      }
    }
  }
}
