public import MoETensor

/// The source of a model's weights: a checkpoint, or random numbers.
public protocol WeightSource: AnyObject {
  /// A weight.
  ///
  /// - Parameters:
  ///   - name: Its name in checkpoints.
  ///   - shape: Its shape.
  ///   - start: Its initialization in a new model.
  /// - Returns: The weight.
  /// - Throws: ``ModelError`` when a checkpoint has no such weight, or one of another shape or type.
  func weight(_ name: String, _ shape: [Int], start: WeightStart) throws -> Parameter

  /// The weights of one projection of all experts of a layer.
  ///
  /// - Parameters:
  ///   - projection: Which of an expert's projections.
  ///   - block: The names of the layer's experts.
  ///   - experts: Number of experts.
  ///   - shape: Shape of one expert's weight.
  /// - Returns: One weight per expert.
  /// - Throws: ``ModelError``, as ``weight(_:_:start:)``.
  func expertWeights(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [Parameter]

  /// The matrix of a linear layer, in the form in which the source has it.
  ///
  /// - Parameters:
  ///   - name: Its name in checkpoints.
  ///   - outputs: Output width.
  ///   - inputs: Input width.
  ///   - start: Its initialization in a new model.
  /// - Returns: The weight; by default the dense one of ``weight(_:_:start:)``.
  /// - Throws: As ``weight(_:_:start:)``.
  func linear(
    _ name: String, outputs: Int, inputs: Int, start: WeightStart
  ) throws -> any LinearWeight

  /// The matrices of one projection of all experts of a layer, in the form in which the source has them.
  ///
  /// - Parameters:
  ///   - projection: Which of an expert's projections.
  ///   - block: The names of the layer's experts.
  ///   - experts: Number of experts.
  ///   - shape: Outputs and inputs of one expert's matrix.
  /// - Returns: One weight per expert; by default the dense ones of ``expertWeights(_:of:experts:shape:)``.
  /// - Throws: As ``weight(_:_:start:)``.
  func expertLinears(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [any LinearWeight]
}

extension WeightSource {
  /// The dense weight.
  public func linear(
    _ name: String, outputs: Int, inputs: Int, start: WeightStart
  ) throws -> any LinearWeight {
    try weight(name, [outputs, inputs], start: start)
  }

  /// The dense weights.
  public func expertLinears(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [any LinearWeight] {
    try expertWeights(projection, of: block, experts: experts, shape: shape)
  }
}

extension WeightSource {
  /// Requests the experts' weights one by one.
  public func expertWeights(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [Parameter] {
    try (0..<experts).map {
      try weight(block.name($0, projection), shape, start: block.start(projection))
    }
  }
}
