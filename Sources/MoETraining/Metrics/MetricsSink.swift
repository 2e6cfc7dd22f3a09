public import MoECore

/// Receives the measurements of a run.
///
/// A ``TrainingRun`` calls its sinks in the order in which they were passed, after ``CSVLog`` and
/// ``TensorBoardLog``, on the training thread. An error ends the run, as ``TrainingFailure``.
public protocol MetricsSink: AnyObject {
  /// Keeps a step.
  ///
  /// - Throws: When it cannot be written.
  func record(_ step: StepMetrics) throws
  /// Keeps the results of an evaluation after a step.
  ///
  /// - Throws: When they cannot be written.
  func record(evaluation: [NamedValue], step: Int) throws
}
