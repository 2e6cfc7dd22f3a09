import MoECore
public import MoEModels
public import MoETensor

/// A denoising objective: a noise process, and how a prediction is judged.
public protocol DiffusionObjective: NoiseProcess {
  /// The terms of the loss.
  ///
  /// - Parameters:
  ///   - prediction: The model's output, shape `[batch, outputs, rows, columns]`; the first
  ///     channels are the prediction, and as many others may hold variances.
  ///   - noisy: The model's input.
  /// - Returns: The terms by name, as means over the batch.
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
  /// The mean squared error of the velocity.
  public func losses(_ prediction: Tensor, for noisy: NoisyImages) -> [TaskLoss.Part] {
    let velocity = prediction.parts(channels: noisy.clean.size(1)).prediction
    return [.init("velocity_error", velocity.meanSquaredError(noisy.noise - noisy.clean))]
  }
}

extension NoisePrediction: DiffusionObjective {
  /// The mean squared error of the noise, and the variational term if variances are learned.
  public func losses(_ prediction: Tensor, for noisy: NoisyImages) -> [TaskLoss.Part] {
    let (noise, variance) = prediction.parts(channels: noisy.clean.size(1))
    let error = TaskLoss.Part("noise_error", noise.meanSquaredError(noisy.noise))
    guard let variance else { return [error] }
    return [error, .init("variance_bits", variationalBits(noise.detached(), variance, noisy))]
  }
}
