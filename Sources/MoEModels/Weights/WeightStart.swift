/// The initialization of a weight in a new model.
public enum WeightStart: Hashable, Sendable {
  /// Normally distributed, mean 0, with this standard deviation.
  case normal(Double)
  /// Uniformly distributed between minus this and this.
  case uniform(Double)
  /// All ones.
  case ones
  /// All zeros.
  case zeros
  /// These values, row-major.
  case given([Float])

  /// Xavier initialization: uniformly distributed, with bounds from the matrix's sizes that keep
  /// the variance of signals and gradients.
  ///
  /// - SeeAlso: Glorot and Bengio 2010, *Understanding the difficulty of training deep feedforward neural networks*.
  static func xavier(_ outputs: Int, _ inputs: Int) -> WeightStart {
    .uniform((6 / Double(outputs + inputs)).squareRoot())
  }
}
