public import MoETensor

/// A weight of a model and its name in checkpoints.
public struct NamedParameter {
  /// The name, unique in the model.
  public var name: String
  /// The weight.
  public var parameter: Parameter

  /// Names a weight.
  public init(_ name: String, _ parameter: Parameter) {
    self.name = name
    self.parameter = parameter
  }
}
