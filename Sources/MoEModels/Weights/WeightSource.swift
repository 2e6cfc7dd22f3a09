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
