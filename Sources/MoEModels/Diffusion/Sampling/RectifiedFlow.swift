public import MoETensor

/// Straight paths from images to noise, with their velocity as the target.
///
///     u = sigmoid(normal(mean, deviation)),   σ = u
///     x_σ = (1 − σ) · x + σ · ε,              v = ε − x
///     loss = mean of (prediction − v)²,       the model receives 1000 · σ
///
/// - SeeAlso: Liu et al. 2022, *Flow Straight and Fast*, [arXiv:2209.03003](https://arxiv.org/abs/2209.03003);
///   Esser et al. 2024, *Scaling Rectified Flow Transformers*, §3.1 on times,
///   [arXiv:2403.03206](https://arxiv.org/abs/2403.03206).
public struct RectifiedFlow: NoiseProcess, Hashable {
  /// The time that the model receives at the end of the path, where only noise is left.
  package static let timeScale = 1000.0

  /// Mean of the times' logits.
  public var mean: Double
  /// Standard deviation of the times' logits.
  public var deviation: Double

  /// Creates a process; the defaults are the paper's.
  public init(mean: Double = 0, deviation: Double = 1) {
    (self.mean, self.deviation) = (mean, deviation)
  }

  /// Moves images along their paths by random times.
  public func noised(_ images: Tensor, random: RandomSource) -> NoisyImages {
    let sigma = random.normal([images.size(0)], mean: mean, standardDeviation: deviation).sigmoid()
    let noise = random.normal(images.shape, on: images.device)
    return Self.noised(images, noise: noise, sigma: sigma.moved(to: images.device))
  }

  /// Moves images along their paths.
  ///
  /// - Parameters:
  ///   - images: Shape `[batch, channels, rows, columns]`, f32.
  ///   - noise: Of the same shape.
  ///   - sigma: Fraction of noise, from 0 to 1, shape `[batch]`.
  /// - Returns: The noisy images.
  public static func noised(_ images: Tensor, noise: Tensor, sigma: Tensor) -> NoisyImages {
    let share = sigma.perImage
    return NoisyImages(
      clean: images, noise: noise, images: (1 - share) * images + share * noise,
      times: sigma * timeScale)
  }
}
