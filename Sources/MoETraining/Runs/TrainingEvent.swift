public import MoECore
public import SystemPackage

/// What happens in a run, for observers.
public enum TrainingEvent {
  /// A step is complete.
  case step(StepMetrics)
  /// The model was evaluated after a step.
  case evaluated([NamedValue], step: Int)
  /// Experts have had no tokens for ``IdleExperts/patience`` steps.
  case expertsDied([IdleExperts.Expert], step: Int)
  /// A checkpoint is being written.
  case checkpoint(step: Int)
}

/// How a run ended.
public enum TrainingOutcome: Hashable, Sendable {
  /// All steps are complete; the folder contains the model.
  case finished(model: FilePath)
  /// It was requested to stop; the checkpoint contains everything needed to continue.
  case stopped(checkpoint: FilePath, step: Int)
}

/// Why a run ended early, and what is left of it.
public struct TrainingFailure: Error, CustomStringConvertible {
  /// What went wrong.
  public var cause: any Error
  /// The newest complete checkpoint.
  public var checkpoint: FilePath?
  /// A table with statistics of the weights, if it was written.
  public var statistics: FilePath?

  /// What went wrong and how to go on.
  public var description: String {
    let table = statistics.map { "; statistics of all weights are in \($0)" } ?? ""
    let rest =
      checkpoint.map { "; the last good checkpoint is \($0), from which the run can be continued" }
      ?? "; there is no checkpoint yet"
    return "\(cause)\(table)\(rest)"
  }
}
