public import MoECore
public import MoETensor

/// A running average of a model's weights, which often performs better than the last weights.
///
///     average ← keep · average + (1 − keep) · weight
///     keep = min(decay, (1 + step) / (10 + step)), or always decay
///
/// The first form warms up: it forgets the random weights at the start of a short run, of which the second still holds
/// decay^steps.
///
/// - SeeAlso: `ExponentialMovingAverage` of TensorFlow with `num_updates`, which diffusers follows.
///
/// Averages of weights of less than 32 bits are kept in f32.
public final class ExponentialMovingAverage {
  /// The largest fraction of the average that is kept at an update, from 0 to 1.
  public let decay: Double
  /// Whether early updates keep less.
  public let warmsUp: Bool
  private let weights: [NamedParameter]
  private let averages: [Parameter]

  /// Starts with the current weights.
  ///
  /// - Throws: `SettingError` when `decay` is not from 0 to 1.
  public init(
    _ weights: [NamedParameter], decay: Double, warmsUp: Bool = true
  ) throws(SettingError) {
    guard 0...1 ~= decay else {
      throw SettingError(key: "decay", value: "\(decay)", expected: "from 0 to 1")
    }
    NamedParameter.requireDistinct(weights)
    (self.decay, self.warmsUp) = (decay, warmsUp)
    self.weights = weights
    averages = weights.map { Parameter(Self.widened($0.parameter.value).copied()) }
  }

  /// Updates the average with the current weights.
  ///
  /// - Parameter step: Steps that were complete before the one that changed the weights, from 0.
  public func update(step: Int) {
    let keep = Self.keep(step: step, decay: decay, warmsUp: warmsUp)
    Tensor.average(averages, with: weights.map { Self.widened($0.parameter.value) }, keep: keep)
  }

  private static func keep(step: Int, decay: Double, warmsUp: Bool) -> Double {
    warmsUp ? min(decay, Double(1 + step) / Double(10 + step)) : decay
  }

  /// The fraction of the weights before the first step that an average still holds after some steps.
  static func remainder(steps: Int, decay: Double, warmsUp: Bool) -> Double {
    // Beyond that, warm-up or not, nothing of any decay below 1 is left that could be seen.
    guard decay < 1 || warmsUp else { return 1 }
    return (0..<min(steps, 1_000_000)).reduce(1.0) {
      $0 * keep(step: $1, decay: decay, warmsUp: warmsUp)
    }
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
