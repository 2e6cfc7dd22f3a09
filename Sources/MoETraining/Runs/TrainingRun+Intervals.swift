public import MoECore

extension TrainingRun {
  /// When a run does what besides steps.
  public struct Intervals: Hashable, Sendable {
    /// Steps between evaluations, at least 1; `nil` for none but the one after the last step.
    public var evaluation: Int?
    /// Steps between checkpoints, at least 1; there is always one of the last step.
    public var checkpoint: Int
    /// Steps after which the model is kept for good.
    public var snapshots: Set<Int>
    /// Steps between rows about single layers in `routing.csv` and TensorBoard, at least 1.
    public var routing: Int

    /// States intervals, all in steps.
    ///
    /// - Throws: `SettingError` for an interval below 1.
    public init(
      evaluation: Int? = nil, checkpoint: Int, snapshots: Set<Int> = [], routing: Int = 10
    ) throws(SettingError) {
      for (name, value) in [
        ("evaluation", evaluation ?? 1), ("checkpoint", checkpoint), ("routing", routing),
      ] where value < 1 {
        throw SettingError(key: name, value: "\(value)", expected: "at least 1 step")
      }
      (self.evaluation, self.checkpoint) = (evaluation, checkpoint)
      (self.snapshots, self.routing) = (snapshots, routing)
    }
  }
}
