public import MoECore
import Foundation
public import SystemPackage

/// Keeps metrics for TensorBoard: `train/…` for steps, `routing/…` for layers, `evaluation/…` for evaluations.
public final class TensorBoardLog: MetricsSink {
  private let file: EventFile
  private let routingInterval: Int

  /// Creates an event file in a folder.
  ///
  /// - Parameters:
  ///   - folder: The folder, which must exist; it may contain files of the same run.
  ///   - step: Step of the checkpoint from which the run continues; 0 for a new run.
  ///   - routingInterval: Steps between numbers about single layers, at least 1.
  /// - Throws: A `FileError`.
  public init(_ folder: FilePath, continuingAfter step: Int = 0, routingInterval: Int = 10) throws {
    precondition(routingInterval >= 1)
    self.routingInterval = routingInterval
    let now = Date().timeIntervalSince1970
    file = try EventFile(in: folder, time: now)
    if step > 0 { try file.continueRun(after: step, time: now) }
  }

  /// Adds the numbers of a step.
  public func record(_ step: StepMetrics) throws {
    var values = [NamedValue("train/loss", step.loss)]
    values += step.parts.map { NamedValue("train/\($0.name)", $0.value) }
    values.append(NamedValue("train/learning_rate", step.learningRate))
    values.append(NamedValue("train/gradient_norm", step.gradientNorm))
    values.append(NamedValue("train/units_per_second", step.speed))
    values += step.routingSummary.map { NamedValue("routing/\($0.name)", $0.value) }
    if step.step.isMultiple(of: routingInterval) {
      for (layer, entry) in step.routing.enumerated() {
        values.append(NamedValue("routing/layer_\(layer)/imbalance", entry.load.imbalance))
        values.append(NamedValue("routing/layer_\(layer)/entropy", entry.entropy))
      }
    }
    try file.append(values, step: step.step, time: Date().timeIntervalSince1970)
  }

  /// Adds the results of an evaluation.
  public func record(evaluation: [NamedValue], step: Int) throws {
    let values = evaluation.map { NamedValue("evaluation/\($0.name)", $0.value) }
    try file.append(values, step: step, time: Date().timeIntervalSince1970)
  }
}
