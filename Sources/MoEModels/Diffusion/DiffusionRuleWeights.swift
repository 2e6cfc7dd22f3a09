public import MoETensor

/// Where a rule asks for the weights of one block.
///
/// Names are those in checkpoints after `blocks.N.mlp.`. Weights of a new model are drawn in the order in which a rule
/// asks, before those of the experts.
public struct DiffusionRuleWeights {
  /// The experts of the block.
  public let experts: DiffusionExpertsConfiguration
  /// Width of the model.
  public let width: Int
  private let builder: DiffusionBuilder
  private let prefix: String

  init(
    _ builder: DiffusionBuilder, prefix: String, experts: DiffusionExpertsConfiguration, width: Int
  ) {
    (self.builder, self.prefix, self.experts, self.width) = (builder, prefix, experts, width)
  }

  /// A weight that gradients change.
  ///
  /// - Parameters:
  ///   - name: Its name.
  ///   - shape: Its shape.
  ///   - start: How it starts when the model is new.
  /// - Returns: The weight.
  /// - Throws: ``ModelError`` when a checkpoint has no such weight, or one of another shape or type.
  public func weight(_ name: String, _ shape: [Int], start: WeightStart) throws -> Parameter {
    try builder.weight("\(prefix).\(name)", shape, start: start)
  }

  /// A state that is stored with the weights, but that gradients do not change.
  ///
  /// - Parameters:
  ///   - name: Its name, one of the rule's ``DiffusionRule/buffers``.
  ///   - shape: Its shape.
  ///   - start: How it starts when the model is new.
  /// - Returns: The state.
  /// - Throws: As ``weight(_:_:start:)``.
  public func buffer(_ name: String, _ shape: [Int], start: WeightStart) throws -> Parameter {
    require(
      experts.router.rule.buffers.contains(name),
      "a buffer '\(name)' that the router '\(experts.router.name)' does not list")
    return try builder.buffer("\(prefix).\(name)", shape, start: start)
  }

  /// A linear layer with bias, `name.weight` and `name.bias`, which starts with uniform weights that keep the variance
  /// of signals, and with zeros.
  ///
  /// - Parameters:
  ///   - name: Its name.
  ///   - outputs: Columns that it gives.
  ///   - inputs: Columns that it takes.
  /// - Returns: The layer.
  /// - Throws: As ``weight(_:_:start:)``.
  public func linear(_ name: String, outputs: Int, inputs: Int) throws -> Linear {
    try builder.linear("\(prefix).\(name)", outputs, inputs)
  }
}
