import MoECore
public import MoETensor

/// A task that teaches a model to remove noise: how images are made noisy, and what of them is to be predicted.
public protocol DiffusionObjective: Sendable {
  /// Makes images noisy at random times.
  ///
  /// - Parameters:
  ///   - images: Shape `[batch, channels, rows, columns]`, f32.
  ///   - random: Draws times, then noise.
  /// - Returns: What the model sees and what it is to be compared with.
  func noised(_ images: Tensor, random: RandomSource) -> NoisyImages

  /// The terms of the loss.
  ///
  /// - Parameters:
  ///   - prediction: What the model gave, shape `[batch, outputs, rows, columns]`; the first channels predict, as
  ///     many others may hold variances.
  ///   - noisy: What it saw.
  /// - Returns: Terms by name, means over the batch.
  func losses(_ prediction: Tensor, for noisy: NoisyImages) -> [TaskLoss.Part]
}

/// Images at times of their own between themselves and noise.
public struct NoisyImages {
  /// The images without noise, shape `[batch, channels, rows, columns]`, f32.
  public var clean: Tensor
  /// The noise, of the same shape.
  public var noise: Tensor
  /// What the model sees, of the same shape.
  public var images: Tensor
  /// The times that the model is told, from 0 to 1000, f32, shape `[batch]`.
  public var times: Tensor

  /// Collects what belongs to a batch.
  public init(clean: Tensor, noise: Tensor, images: Tensor, times: Tensor) {
    (self.clean, self.noise, self.images, self.times) = (clean, noise, images, times)
  }
}

extension Tensor {
  /// One factor per image, shape `[batch, 1, 1, 1]`, to multiply images with.
  var perImage: Tensor { reshaped([-1, 1, 1, 1]) }

  /// The channels that predict, and those of variances if there are any; f32.
  func parts(channels: Int) -> (prediction: Tensor, variance: Tensor?) {
    let wide = cast(to: .f32)
    guard wide.size(1) > channels else { return (wide, nil) }
    let parts = wide.split(sizes: [channels, wide.size(1) - channels], axis: 1)
    return (parts[0], parts[1])
  }
}
