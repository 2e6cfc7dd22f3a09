public import MoETensor

/// Provides a rule with the weights of one block.
///
/// Names are those in checkpoints after `blocks.N.mlp.`. Weights of a new model are drawn in the
/// order in which a rule requests them, before those of the experts.
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

  /// A trained weight.
  ///
  /// - Parameters:
  ///   - name: Its name.
  ///   - shape: Its shape.
  ///   - start: Its initialization in a new model.
  /// - Returns: The weight.
  /// - Throws: ``ModelError`` when a checkpoint has no such weight, or one of another shape or type.
  public func weight(_ name: String, _ shape: [Int], start: WeightStart) throws -> Parameter {
    try builder.weight("\(prefix).\(name)", shape, start: start)
  }

  /// A state that is stored with the weights but not changed by gradients.
  ///
  /// - Parameters:
  ///   - name: Its name, one of the rule's ``DiffusionRule/buffers``.
  ///   - shape: Its shape.
  ///   - start: Its initialization in a new model.
  /// - Returns: The state.
  /// - Throws: As ``weight(_:_:start:)``.
  public func buffer(_ name: String, _ shape: [Int], start: WeightStart) throws -> Parameter {
    require(
      experts.router.rule.buffers.contains(name),
      "the router '\(experts.router.name)' does not list the buffer '\(name)'")
    return try builder.buffer("\(prefix).\(name)", shape, start: start)
  }

  /// A linear layer with bias, `name.weight` and `name.bias`; weights are initialized uniformly so
  /// that the variance of signals is kept, biases with zeros.
  ///
  /// - Parameters:
  ///   - name: Its name.
  ///   - outputs: Output width.
  ///   - inputs: Input width.
  /// - Returns: The layer.
  /// - Throws: As ``weight(_:_:start:)``.
  public func linear(_ name: String, outputs: Int, inputs: Int) throws -> Linear {
    try builder.linear("\(prefix).\(name)", outputs, inputs)
  }
}
