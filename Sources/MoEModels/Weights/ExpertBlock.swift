/// One of an expert's three matrices.
public enum ExpertProjection: Hashable, Sendable {
  /// Scales the inner activations.
  case gate
  /// Widens.
  case up
  /// Narrows.
  case down
}

/// The names of a layer's experts in a checkpoint.
public struct ExpertBlock {
  /// What all names begin with, for example `model.layers.0.mlp.experts`.
  public var prefix: String
  /// Names of the projections.
  public var names: WeightNames
  /// How new weights start, by projection.
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
