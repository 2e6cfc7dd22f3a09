import MoECore
public import MoEModels
public import MoETensor

/// A task that teaches a model to remove noise: a noise process, and how a prediction is judged.
public protocol DiffusionObjective: NoiseProcess {
  /// The terms of the loss.
  ///
  /// - Parameters:
  ///   - prediction: What the model gave, shape `[batch, outputs, rows, columns]`; the first channels predict, as
  ///     many others may hold variances.
  ///   - noisy: What it saw.
  /// - Returns: Terms by name, means over the batch.
  func losses(_ prediction: Tensor, for noisy: NoisyImages) -> [TaskLoss.Part]
}

extension DiffusionConfiguration.Objective {
  /// How noise is added and a prediction is judged.
  func loss() throws -> any DiffusionObjective {
    switch self {
    case .rectifiedFlow: RectifiedFlow()
    case .noisePrediction: NoisePrediction(try NoiseSchedule())
    }
  }
}

extension RectifiedFlow: DiffusionObjective {
  /// The squared error of the velocity, the mean over all numbers.
  public func losses(_ prediction: Tensor, for noisy: NoisyImages) -> [TaskLoss.Part] {
    let velocity = prediction.parts(channels: noisy.clean.size(1)).prediction
    return [.init("velocity_error", velocity.meanSquaredError(noisy.noise - noisy.clean))]
  }
}

extension NoisePrediction: DiffusionObjective {
  /// The squared error of the noise, and the variational term if variances are learned.
  public func losses(_ prediction: Tensor, for noisy: NoisyImages) -> [TaskLoss.Part] {
    let (noise, variance) = prediction.parts(channels: noisy.clean.size(1))
    let error = TaskLoss.Part("noise_error", noise.meanSquaredError(noisy.noise))
    guard let variance else { return [error] }
    return [error, .init("variance_bits", variationalBits(noise.detached(), variance, noisy))]
  }
}
