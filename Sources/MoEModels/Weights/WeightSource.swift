public import MoETensor

/// Where the weights of a model come from: a checkpoint, or random numbers.
public protocol WeightSource: AnyObject {
  /// A weight.
  ///
  /// - Parameters:
  ///   - name: Its name in checkpoints.
  ///   - shape: Its shape.
  ///   - start: How it starts when the model is new.
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

/// How a weight of a new model starts.
public enum WeightStart: Hashable, Sendable {
  /// Normal numbers with this standard deviation.
  case normal(Double)
  /// Numbers spread evenly between minus this and this.
  case uniform(Double)
  /// All ones.
  case ones
  /// All zeros.
  case zeros
  /// These numbers, row-major.
  case given([Float])

  /// Numbers spread so that the variance of signals and of gradients is kept, by the sizes of a matrix.
  ///
  /// - SeeAlso: Glorot and Bengio 2010, *Understanding the difficulty of training deep feedforward neural networks*.
  static func xavier(_ outputs: Int, _ inputs: Int) -> WeightStart {
    .uniform((6 / Double(outputs + inputs)).squareRoot())
  }
}

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

/// Draws the weights of a new model.
public final class RandomWeights: WeightSource {
  private let random: RandomSource

  /// Starts with the numbers of a source.
  public init(_ random: RandomSource) { self.random = random }

  /// Draws a weight.
  public func weight(_ name: String, _ shape: [Int], start: WeightStart) -> Parameter {
    switch start {
    case .normal(let deviation): Parameter(random.normal(shape, standardDeviation: deviation))
    case .uniform(let limit): Parameter(random.uniform(shape, low: -limit, high: limit))
    case .ones: Parameter(Tensor.ones(shape))
    case .zeros: Parameter(Tensor.zeros(shape))
    case .given(let numbers): Parameter(Tensor(numbers, shape: shape))
    }
  }

  /// Draws one projection of all experts.
  public func expertWeights(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) -> [Parameter] {
    (0..<experts).map { weight(block.name($0, projection), shape, start: block.start(projection)) }
  }
}
