public import MoECore

/// How a ``TrainingLoop`` trains.
public struct LoopSettings: Hashable, Sendable {
  /// Micro-batches whose gradients are averaged for one update; at least 1.
  public var accumulation: Int
  /// The learning rate of every step.
  public var schedule: LearningRateSchedule
  /// Settings of the optimizer.
  public var optimizer: AdamWSettings
  /// Largest norm of the gradients; infinite for no limit.
  public var maximumNorm: Double
  /// Whether each weight is updated as soon as its gradient is there, so that gradients never exist all at once.
  ///
  /// A limit of the norm then costs a second pass: the first one measures.
  public var fusesUpdates: Bool
  /// Decay of the running average of the weights; `nil` for none.
  public var averageDecay: Double?
  /// Decides all random numbers.
  public var seed: UInt64

  /// Describes a way of training.
  ///
  /// - Throws: `SettingError` for values out of range.
  public init(
    accumulation: Int = 1, schedule: LearningRateSchedule, optimizer: AdamWSettings,
    maximumNorm: Double = 1, fusesUpdates: Bool = false, averageDecay: Double? = nil,
    seed: UInt64 = 0
  ) throws(SettingError) {
    guard accumulation >= 1 else {
      throw SettingError(key: "accumulation", value: "\(accumulation)", expected: "at least 1")
    }
    guard maximumNorm > 0 else {
      throw SettingError(key: "maximumNorm", value: "\(maximumNorm)", expected: "above 0")
    }
    guard !fusesUpdates || accumulation == 1 else {
      throw SettingError(
        key: "accumulation", value: "\(accumulation)",
        expected: "1 with fused updates, which keep no sums of gradients")
    }
    (self.accumulation, self.schedule, self.optimizer) = (accumulation, schedule, optimizer)
    (self.maximumNorm, self.fusesUpdates) = (maximumNorm, fusesUpdates)
    (self.averageDecay, self.seed) = (averageDecay, seed)
  }
}
