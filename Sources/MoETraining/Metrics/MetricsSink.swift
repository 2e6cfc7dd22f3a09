public import MoECore

/// Receives what is measured in a run, to keep it.
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
