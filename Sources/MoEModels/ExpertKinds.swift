public import MoECore

/// The kinds of experts that can share a gate.
public enum ExpertKinds {
  /// The kinds by their names in `config.json`.
  public static let registry = Registry<ExpertKind>(
    "expert kind",
    [ExpertKind.feedForward.name: .feedForward, ExpertKind.recurrent.name: .recurrent])
}
