public import MoECore

/// Receives what is measured in a run, to keep it.
///
/// A ``TrainingRun`` calls its sinks in the order in which they were passed, after ``CSVLog`` and ``TensorBoardLog``, on
/// the thread that trains. An error ends the run, as ``TrainingFailure``.
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
