public import MoECore

/// How a ``TrainingLoop`` trains.
public struct LoopSettings: Hashable, Sendable {
  /// Micro-batches whose gradients are averaged for one update; at least 1.
  public var accumulation: Int
  /// The learning-rate schedule.
  public var schedule: LearningRateSchedule
  /// Settings of the optimizer.
  public var optimizer: AdamWSettings
  /// Maximum Euclidean norm of all gradients together, above 0; infinite for no limit.
  public var clip: Double
  /// Whether each weight is updated as soon as its gradient is known, so that the gradients never
  /// all exist at once.
  ///
  /// A limit on the norm then needs a second pass; the first one measures the norm.
  public var fusesUpdates: Bool
  /// Decay of the running average of the weights, from 0 to 1; `nil` for no average.
  public var average: Double?
  /// Whether the running average forgets the first weights sooner, see ``ExponentialMovingAverage``.
  public var averageWarmsUp: Bool
  /// Determines all random numbers.
  public var seed: UInt64

  /// Creates settings.
  ///
  /// - Throws: `SettingError` for values out of range.
  public init(
    accumulation: Int = 1, schedule: LearningRateSchedule, optimizer: AdamWSettings,
    clip: Double = 1, fusesUpdates: Bool = false, average: Double? = nil,
    averageWarmsUp: Bool = true, seed: UInt64 = 0
  ) throws(SettingError) {
    guard accumulation >= 1 else {
      throw SettingError(key: "accumulation", value: "\(accumulation)", expected: "at least 1")
    }
    guard clip > 0 else {
      throw SettingError(key: "clip", value: "\(clip)", expected: "above 0")
    }
    guard !fusesUpdates || accumulation == 1 else {
      throw SettingError(
        key: "accumulation", value: "\(accumulation)",
        expected: "1 with fused updates, which do not accumulate gradients")
    }
    (self.accumulation, self.schedule, self.optimizer) = (accumulation, schedule, optimizer)
    (self.clip, self.fusesUpdates) = (clip, fusesUpdates)
    (self.average, self.averageWarmsUp, self.seed) = (average, averageWarmsUp, seed)
  }
}
