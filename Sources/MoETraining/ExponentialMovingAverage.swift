public import MoECore
public import MoETensor

/// A running average of a model's weights, which often performs better than the last weights.
///
///     average ← decay · average + (1 − decay) · weight
///
/// Averages of weights of less than 32 bits are kept in f32.
public final class ExponentialMovingAverage {
  /// Fraction of the average that is kept at each update, from 0 to 1.
  public let decay: Double
  private let weights: [NamedParameter]
  private let averages: [Parameter]

  /// Starts with the current weights.
  ///
  /// - Throws: `SettingError` when `decay` is not from 0 to 1.
  public init(_ weights: [NamedParameter], decay: Double) throws(SettingError) {
    guard 0...1 ~= decay else {
      throw SettingError(key: "decay", value: "\(decay)", expected: "from 0 to 1")
    }
    NamedParameter.requireDistinct(weights)
    self.decay = decay
    self.weights = weights
    averages = weights.map { Parameter(Self.widened($0.parameter.value).copied()) }
  }

  /// Updates the average with the current weights.
  public func update() {
    Tensor.average(averages, with: weights.map { Self.widened($0.parameter.value) }, keep: decay)
  }

  /// The averages by the weights' names.
  public var state: [String: Tensor] {
    Dictionary(uniqueKeysWithValues: zip(weights, averages).map { ($0.name, $1.value) })
  }

  /// Continues from saved averages.
  ///
  /// - Throws: ``TrainingError/invalidOptimizerState(message:)`` when an average is missing or has another
  ///   shape or type; nothing is changed then.
  public func restore(_ state: [String: Tensor]) throws(TrainingError) {
    var saved: [Tensor] = []
    for (weight, average) in zip(weights, averages) {
      guard let tensor = state[weight.name], tensor.shape == average.value.shape,
        tensor.dtype == average.value.dtype
      else { throw .invalidOptimizerState(message: "no average of the shape of '\(weight.name)'") }
      saved.append(tensor)
    }
    for (average, tensor) in zip(averages, saved) { average.assign(tensor) }
  }

  /// Runs `body` with the averages as the model's weights.
  ///
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws; the weights are restored in any case.
  public func withAverages<Result>(_ body: () throws -> Result) rethrows -> Result {
    let trained = weights.map(\.parameter.value)
    for (weight, average) in zip(weights, averages) {
      weight.parameter.assign(average.value.cast(to: weight.parameter.value.dtype))
    }
    defer { for (weight, value) in zip(weights, trained) { weight.parameter.assign(value) } }
    return try body()
  }

  private static func widened(_ value: Tensor) -> Tensor {
    value.dtype.byteSize < 4 ? value.cast(to: .f32) : value
  }
}
