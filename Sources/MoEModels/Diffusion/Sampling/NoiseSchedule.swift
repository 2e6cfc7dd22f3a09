public import MoECore
import Foundation

/// The noise schedule of a diffusion with discrete steps, and quantities derived from it.
///
///     β_t rises linearly from 0.0001 to 0.02 over 1000 steps;   kept_t = Π_{s ≤ t} (1 − β_s)
///
/// A schedule may use only some of the steps; its β are then those of jumps from one to the next.
///
/// - SeeAlso: Ho et al. 2020, *Denoising Diffusion Probabilistic Models*, §2 and §4,
///   [arXiv:2006.11239](https://arxiv.org/abs/2006.11239); Nichol and Dhariwal 2021, *Improved Denoising Diffusion
///   Probabilistic Models*, §3 and §4, [arXiv:2102.09672](https://arxiv.org/abs/2102.09672).
public struct NoiseSchedule: Hashable, Sendable {
  /// Steps of the full schedule.
  public static let length = 1000

  /// The steps in use, as indices of the full schedule, ascending.
  public let times: [Int]
  /// β of each step.
  public let betas: [Double]
  /// Fraction of the image's variance that is left after each step.
  public let kept: [Double]

  /// The full schedule, or `steps` of its 1000 steps, evenly spaced from the first to the last.
  ///
  /// - Throws: `SettingError` unless there are 1 to 1000 steps.
  public init(steps: Int = length) throws(SettingError) {
    guard 1...Self.length ~= steps else {
      throw SettingError(key: "steps", value: "\(steps)", expected: "in 1…\(Self.length)")
    }
    let last = Self.length - 1
    let full = (0...last).map { 1e-4 + (0.02 - 1e-4) * Double($0) / Double(last) }
    var product = 1.0
    let allKept = full.map { beta in
      product *= 1 - beta
      return product
    }
    // A single step starts from pure noise.
    times =
      steps == 1
      ? [last]
      : (0..<steps).map {
        Int((Double($0 * last) / Double(steps - 1)).rounded(.toNearestOrEven))
      }
    kept = times.map { allKept[$0] }
    betas =
      steps == Self.length
      ? full : kept.indices.map { [kept] in 1 - kept[$0] / ($0 == 0 ? 1 : kept[$0 - 1]) }
  }

  /// Number of steps in use.
  public var count: Int { times.count }

  /// Fraction of the image's variance that was left before a step.
  func keptBefore(_ step: Int) -> Double { step == 0 ? 1 : kept[step - 1] }

  /// Variance of the image before a step, given the image after it and the clean image.
  func posteriorVariance(_ step: Int) -> Double {
    betas[step] * (1 - keptBefore(step)) / (1 - kept[step])
  }

  /// Logarithm of that variance; the first step, where it is 0, uses that of the second.
  func posteriorLogVariance(_ step: Int) -> Double {
    Foundation.log(posteriorVariance(step == 0 ? min(1, count - 1) : step))
  }

  /// Factors of the clean and of the noisy image in the mean of the image before a step.
  func posteriorFactors(_ step: Int) -> (clean: Double, noisy: Double) {
    let before = keptBefore(step)
    let rest = 1 - kept[step]
    return (
      betas[step] * before.squareRoot() / rest,
      (1 - before) * (1 - betas[step]).squareRoot() / rest
    )
  }
}
