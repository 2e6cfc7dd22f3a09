public import MoETensor

/// Draws the weights of a new model.
public final class RandomWeights: WeightSource {
  private let random: RandomSource

  /// Draws from a source of random numbers.
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
}
