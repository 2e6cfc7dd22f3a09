/// A packed weight of a model and its name in checkpoints.
public struct NamedPackedWeight {
  /// The name, unique in the model.
  public let name: String
  /// The weight.
  public let weight: PackedWeight

  /// Names a weight.
  public init(_ name: String, _ weight: PackedWeight) { (self.name, self.weight) = (name, weight) }
}
