public import MoECore

extension TrainingRun {
  /// When a run evaluates and writes.
  public struct Intervals: Hashable, Sendable {
    /// Steps between evaluations, at least 1; `nil` to evaluate only after the last step.
    public var evaluation: Int?
    /// Steps between checkpoints, at least 1; the last step always gets one.
    public var checkpoint: Int
    /// Steps after which a snapshot of the model is kept.
    public var snapshots: Set<Int>
    /// Steps between rows about individual layers in `routing.csv` and TensorBoard, at least 1.
    public var routing: Int

    /// Creates intervals, all in steps.
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
