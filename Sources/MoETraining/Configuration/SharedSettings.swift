public import MoECore
import MoEModels
public import SystemPackage

/// The part of a configuration that is the same for every kind of model: steps, precision, optimizer, intervals.
public struct SharedSettings: Sendable {
  /// The file, for messages.
  public let path: FilePath
  /// Steps in all.
  public let steps: Int
  /// Decides all random numbers.
  public let seed: UInt64
  /// Type to compute in.
  public let dtype: DType
  /// Windows, images or texts in a micro-batch.
  public let batchSize: Int
  /// Whether layers are computed again in the backward pass.
  public let recomputes: Bool
  let intervals: RunIntervals
  let loop: LoopSettings
  /// What was given in the shared sections, with all defaults.
  let resolved: [String: [String: ConfigurationObject.Value]]

  /// Root keys that every kind of model has.
  static let sections = ["task", "training", "optimizer", "schedule", "checkpoints", "log"]

  init(_ json: ConfigurationObject) throws {
    path = json.path
    let training = try TrainingSection(json)
    (steps, seed, dtype) = (training.steps, training.seed, training.dtype)
    (batchSize, recomputes) = (training.batchSize, training.recomputes)
    loop = try training.loop(json)
    intervals = try RunIntervals(json, steps: steps)
    resolved = [
      "training": training.resolved, "optimizer": loop.resolvedOptimizer,
      "schedule": loop.resolvedSchedule,
      "evaluation": ["every": .number(Double(intervals.evaluation ?? 0))],
      "checkpoints": ["every": .number(Double(intervals.checkpoint))],
    ]
  }
}
