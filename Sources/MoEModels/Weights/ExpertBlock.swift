/// One of an expert's three matrices.
public enum ExpertProjection: Hashable, Sendable {
  /// Scales the inner activations.
  case gate
  /// Projects to the inner width.
  case up
  /// Projects back to the hidden width.
  case down
}

/// The names of a layer's experts in a checkpoint.
public struct ExpertBlock {
  /// The prefix of all names, for example `model.layers.0.mlp.experts`.
  public var prefix: String
  /// Names of the projections.
  public var names: WeightNames
  /// The initialization of new weights, by projection.
  public var start: (ExpertProjection) -> WeightStart

  /// The name of one expert's weight.
  func name(_ expert: Int, _ projection: ExpertProjection) -> String {
    let last =
      switch projection {
      case .gate: names.gate
      case .up: names.up
      case .down: names.down
      }
    return "\(prefix).\(expert).\(last).weight"
  }
}
