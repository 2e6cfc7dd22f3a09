#if canImport(Glibc)
public import MoECore
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// The learning rate as a function of the step: linear warm-up, then a decay.
public struct LearningRateSchedule: Hashable, Codable, Sendable {
  /// What follows the warm-up.
  public enum Decay: String, Hashable, Codable, Sendable, CaseIterable {
    /// Constant at the peak rate.
    case constant
    /// Linear decay to the final rate.
    case linear
    /// Cosine decay to the final rate.
    case cosine
  }

  /// The highest rate, above 0.
  public var peak: Double
  /// The rate from ``totalSteps`` on, from 0 to ``peak``; not used by a constant schedule.
  public var final: Double
  /// Steps until the peak, 0 or more.
  public var warmupSteps: Int
  /// Steps until the final rate, at least ``warmupSteps``.
  public var totalSteps: Int
  /// What follows the warm-up.
  public var decay: Decay

  /// Creates a schedule.
  ///
  /// - Throws: `SettingError` for values out of range.
  public init(
    peak: Double, final: Double = 0, warmupSteps: Int = 0, totalSteps: Int, decay: Decay = .cosine
  ) throws(SettingError) {
    (self.peak, self.final) = (peak, final)
    (self.warmupSteps, self.totalSteps, self.decay) = (warmupSteps, totalSteps, decay)
    guard peak > 0, peak.isFinite else {
      throw SettingError(key: "peak", value: "\(peak)", expected: "above 0")
    }
    guard 0...peak ~= final else {
      throw SettingError(key: "final", value: "\(final)", expected: "from 0 to peak (\(peak))")
    }
    guard warmupSteps >= 0 else {
      throw SettingError(key: "warmupSteps", value: "\(warmupSteps)", expected: "at least 0")
    }
    guard totalSteps >= warmupSteps else {
      throw SettingError(
        key: "totalSteps", value: "\(totalSteps)", expected: "at least warmupSteps (\(warmupSteps))"
      )
    }
  }

  /// Decodes a schedule; `final`, `warmupSteps` and `decay` may be absent.
  ///
  /// - Throws: A decoding error, or `SettingError` for values out of range.
  public init(from decoder: any Decoder) throws {
    let values = try decoder.container(keyedBy: CodingKeys.self)
    try self.init(
      peak: values.decode(Double.self, forKey: .peak),
      final: values.decodeIfPresent(Double.self, forKey: .final) ?? 0,
      warmupSteps: values.decodeIfPresent(Int.self, forKey: .warmupSteps) ?? 0,
      totalSteps: values.decode(Int.self, forKey: .totalSteps),
      decay: values.decodeIfPresent(Decay.self, forKey: .decay) ?? .cosine)
  }

  /// The rate of a step, counted from 0: step `warmupSteps - 1` has the peak, step `totalSteps` and all
  /// later ones the final rate.
  public func rate(at step: Int) -> Double {
    if step < warmupSteps { return peak * Double(step + 1) / Double(warmupSteps) }
    guard decay != .constant else { return peak }
    guard step < totalSteps else { return final }
    let progress = Double(step - warmupSteps) / Double(totalSteps - warmupSteps)
    let share = decay == .linear ? 1 - progress : (1 + cos(.pi * progress)) / 2
    return final + (peak - final) * share
  }
}
