/// A weight of a model and its name in checkpoints.
public struct NamedParameter {
  /// The name, unique in the model.
  public var name: String
  /// The weight.
  public var parameter: Parameter

  /// Creates a named weight.
  public init(_ name: String, _ parameter: Parameter) {
    (self.name, self.parameter) = (name, parameter)
  }

  /// Stops the program if a name or a weight occurs twice: it would be updated twice.
  package static func requireDistinct(_ parameters: [NamedParameter]) {
    let names = Set(parameters.map(\.name))
    let weights = Set(parameters.map { ObjectIdentifier($0.parameter) })
    precondition(
      names.count == parameters.count && weights.count == parameters.count,
      "a name or a weight occurs twice among \(parameters.map(\.name))")
  }
}
