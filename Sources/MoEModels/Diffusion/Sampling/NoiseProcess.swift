import MoECore
public import MoETensor

/// How images become noise, step by step or along a path.
public protocol NoiseProcess: Sendable {
  /// Makes images noisy at random times.
  ///
  /// - Parameters:
  ///   - images: Shape `[batch, channels, rows, columns]`, f32.
  ///   - random: Draws times, then noise.
  /// - Returns: The model's input and its target.
  func noised(_ images: Tensor, random: RandomSource) -> NoisyImages
}

extension DiffusionConfiguration.Objective {
  /// The process whose noise a model with this objective removes.
  package func process() throws -> any NoiseProcess {
    switch self {
    case .rectifiedFlow: RectifiedFlow()
    case .noisePrediction: NoisePrediction(try NoiseSchedule())
    }
  }
}

/// Noisy images, each at a separate time.
public struct NoisyImages {
  /// The images without noise, shape `[batch, channels, rows, columns]`, f32.
  public var clean: Tensor
  /// The noise, of the same shape.
  public var noise: Tensor
  /// The model's input, of the same shape.
  public var images: Tensor
  /// The times that the model receives, from 0 to 1000, f32, shape `[batch]`.
  public var times: Tensor

  /// Creates a batch.
  public init(clean: Tensor, noise: Tensor, images: Tensor, times: Tensor) {
    (self.clean, self.noise, self.images, self.times) = (clean, noise, images, times)
  }
}

extension Tensor {
  /// One factor per image, shape `[batch, 1, 1, 1]`, to multiply images with.
  package var perImage: Tensor { reshaped([-1, 1, 1, 1]) }

  /// The channels of the prediction, and those of variances if there are any; f32.
  package func parts(channels: Int) -> (prediction: Tensor, variance: Tensor?) {
    let wide = cast(to: .f32)
    guard wide.size(1) > channels else { return (wide, nil) }
    let parts = wide.split(sizes: [channels, wide.size(1) - channels], axis: 1)
    return (parts[0], parts[1])
  }
}
