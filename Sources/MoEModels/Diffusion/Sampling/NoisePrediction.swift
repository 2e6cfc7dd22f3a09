import Foundation
import MoECore
public import MoETensor

/// Discrete noise steps with the noise as the target, and learned variances if the model predicts
/// them.
///
///     x_t = √kept_t · x + √(1 − kept_t) · ε,   t one of 1000 steps, each equally likely
///     loss = mean of (prediction − ε)²  +  variational term in bits
///
/// The variational term is the divergence between the true and the predicted distribution of the image one step
/// before; its gradient reaches the variances only.
///
/// - SeeAlso: Nichol and Dhariwal 2021, *Improved Denoising Diffusion Probabilistic Models*, §3.1, equations 15 and
///   16, [arXiv:2102.09672](https://arxiv.org/abs/2102.09672).
public struct NoisePrediction: NoiseProcess, Hashable {
  /// The steps.
  public let schedule: NoiseSchedule

  /// Uses the given steps.
  public init(_ schedule: NoiseSchedule) { self.schedule = schedule }

  /// Makes images noisy at random steps.
  public func noised(_ images: Tensor, random: RandomSource) -> NoisyImages {
    let steps = random.integers([images.size(0)], in: 0..<schedule.count).array(of: Int.self)
    return noised(images, noise: random.normal(images.shape, on: images.device), steps: steps)
  }

  /// Makes images noisy.
  ///
  /// - Parameters:
  ///   - images: Shape `[batch, channels, rows, columns]`, f32.
  ///   - noise: Of the same shape.
  ///   - steps: The step of each image.
  /// - Returns: The noisy images.
  public func noised(_ images: Tensor, noise: Tensor, steps: [Int]) -> NoisyImages {
    let device = images.device
    let kept = factors(steps, on: device) { schedule.kept[$0].squareRoot() }
    let rest = factors(steps, on: device) { (1 - schedule.kept[$0]).squareRoot() }
    return NoisyImages(
      clean: images, noise: noise, images: kept * images + rest * noise,
      times: Tensor(steps.map { Float(schedule.times[$0]) }).moved(to: device))
  }

  /// The steps in use that belong to times of the full schedule.
  private func steps(of times: Tensor) -> [Int] {
    let places = Dictionary(uniqueKeysWithValues: schedule.times.enumerated().map { ($1, $0) })
    return times.array(of: Float.self).map { places[Int($0)] ?? 0 }
  }

  /// The divergence between the true and the predicted distribution of the images one step before.
  ///
  /// - Parameters:
  ///   - noise: The predicted noise, shape `[batch, channels, rows, columns]`.
  ///   - variance: The predicted variance, as ``distribution(_:noise:variance:steps:limit:)`` takes it.
  ///   - noisy: The model's input.
  /// - Returns: Bits per value, the mean over the batch, shape `[]`.
  package func variationalBits(
    _ noise: Tensor, _ variance: Tensor, _ noisy: NoisyImages
  ) -> Tensor {
    let steps = steps(of: noisy.times)
    let found = distribution(noisy.images, noise: noise, variance: variance, steps: steps)
    let (mean, logVariance) = (found.mean, found.logVariance)
    let trueMean = posteriorMean(clean: noisy.clean, noisy: noisy.images, steps: steps)
    let trueLog = factors(steps, on: noise.device, schedule.posteriorLogVariance)
    let difference = trueMean - mean
    let divergence =
      ((logVariance - trueLog - 1) + (trueLog - logVariance).exp()
        + difference * difference * (-logVariance).exp()) * 0.5
    let isFirst = factors(steps, on: noise.device) { $0 == 0 ? 1 : 0 } .> 0.5
    let likelihood = Self.logLikelihood(noisy.clean, mean: mean, logScale: logVariance * 0.5)
    return isFirst.select(-likelihood, else: divergence).mean() / log(2)
  }

  /// The predicted distribution of the images one step before.
  ///
  /// - Parameters:
  ///   - images: Shape `[batch, channels, rows, columns]`.
  ///   - noise: The predicted noise, of the same shape.
  ///   - variance: From -1 to 1 between the smallest and the largest logarithm of the variance, of the same
  ///     shape; `nil` for the largest, β.
  ///   - steps: The step of each image.
  ///   - limit: Whether the predicted clean image is clipped to between -1 and 1.
  /// - Returns: Mean and logarithm of the variance, and the predicted clean image.
  func distribution(
    _ images: Tensor, noise: Tensor, variance: Tensor?, steps: [Int], limit: Bool = false
  ) -> (mean: Tensor, logVariance: Tensor, clean: Tensor) {
    let clean = self.clean(images, noise: noise, steps: steps, limit: limit)
    let device = images.device
    let mean = posteriorMean(clean: clean, noisy: images, steps: steps)
    guard let variance else {
      // β, but for the first step the posterior variance of the second, as in the paper's code.
      let fixed = factors(steps, on: device) {
        $0 == 0 ? schedule.posteriorLogVariance(0) : log(schedule.betas[$0])
      }
      return (mean, fixed, clean)
    }
    let low = factors(steps, on: device, schedule.posteriorLogVariance)
    let high = factors(steps, on: device) { log(schedule.betas[$0]) }
    let share = (variance + 1) * 0.5
    return (mean, share * high + (1 - share) * low, clean)
  }

  /// The clean image that belongs to noisy ones and their noise.
  func clean(_ images: Tensor, noise: Tensor, steps: [Int], limit: Bool) -> Tensor {
    let device = images.device
    let kept = factors(steps, on: device) { 1 / schedule.kept[$0].squareRoot() }
    let rest = factors(steps, on: device) { (1 / schedule.kept[$0] - 1).squareRoot() }
    let clean = kept * images - rest * noise
    return limit ? clean.clamped(min: -1, max: 1) : clean
  }

  private func posteriorMean(clean: Tensor, noisy: Tensor, steps: [Int]) -> Tensor {
    factors(steps, on: clean.device) { schedule.posteriorFactors($0).clean } * clean
      + factors(steps, on: clean.device) { schedule.posteriorFactors($0).noisy } * noisy
  }

  /// A value for each image's step, shape `[batch, 1, 1, 1]`.
  private func factors(_ steps: [Int], on device: Device, _ value: (Int) -> Double) -> Tensor {
    Tensor(steps.map { Float(value($0)) }).perImage.moved(to: device)
  }

  /// The logarithm of the probability that a normal distribution assigns to the interval of 1/255
  /// around each value; values at the ends get the whole tail.
  private static func logLikelihood(_ x: Tensor, mean: Tensor, logScale: Tensor) -> Tensor {
    let factor = (-logScale).exp()
    let upper = normalShare(factor * (x - mean + 1 / 255.0))
    let lower = normalShare(factor * (x - mean - 1 / 255.0))
    func logarithm(_ share: Tensor) -> Tensor { share.clamped(min: 1e-12).log() }
    let middle = (x .> 0.999).select(logarithm(1 - lower), else: logarithm(upper - lower))
    return (x .< -0.999).select(logarithm(upper), else: middle)
  }

  /// The cumulative standard normal distribution, approximated as in the papers' code.
  private static func normalShare(_ z: Tensor) -> Tensor {
    ((z + z * z * z * 0.044715) * (2 / Double.pi).squareRoot()).tanh() * 0.5 + 0.5
  }
}
