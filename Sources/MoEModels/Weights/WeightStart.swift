/// How a weight of a new model starts.
public enum WeightStart: Hashable, Sendable {
  /// Normally distributed, mean 0, with this standard deviation.
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
