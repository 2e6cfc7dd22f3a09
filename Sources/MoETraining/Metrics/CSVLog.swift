public import MoECore
public import SystemPackage

/// Keeps metrics in three tables.
///
/// `metrics.csv` has a row per step, `routing.csv` a row per sparse layer of every
/// `routingInterval`th step, and `evaluation.csv` a row per evaluation.
public final class CSVLog: MetricsSink {
  private let metrics: CSVFile
  private let routing: CSVFile
  private let evaluation: CSVFile
  private let routingInterval: Int

  /// Opens the tables in a folder.
  ///
  /// - Parameters:
  ///   - folder: The folder, which must exist.
  ///   - step: Step of the checkpoint from which the run continues; later rows are dropped. 0 for a new run.
  ///   - routingInterval: Steps between rows about the layers, at least 1.
  /// - Throws: A `FileError`.
  public init(_ folder: FilePath, continuingAfter step: Int = 0, routingInterval: Int = 10) throws {
    precondition(routingInterval >= 1)
    self.routingInterval = routingInterval
    metrics = try CSVFile(folder.appending("metrics.csv"), keepingUpTo: step)
    routing = try CSVFile(folder.appending("routing.csv"), keepingUpTo: step)
    evaluation = try CSVFile(folder.appending("evaluation.csv"), keepingUpTo: step)
  }

  /// Appends a row about a step, and rows about its layers every `routingInterval`th step.
  public func record(_ step: StepMetrics) throws {
    var row = [("step", "\(step.step)"), ("epoch", "\(step.epoch)"), ("units", "\(step.units)")]
    row.append(("loss", "\(step.loss)"))
    row += step.parts.map { ($0.name, "\($0.value)") }
    row.append(("learning_rate", "\(step.learningRate)"))
    row.append(("gradient_norm", "\(step.gradientNorm)"))
    row += step.routingSummary.map { ($0.name, Self.short($0.value)) }
    row.append(("units_per_second", Self.short(step.speed)))
    try metrics.append(row.map { (name: $0.0, text: $0.1) })
    guard step.step.isMultiple(of: routingInterval) || step.step == 1 else { return }
    for (layer, entry) in step.routing.enumerated() {
      let load = entry.load.tokens.map(String.init).joined(separator: " ")
      try routing.append([
        ("step", "\(step.step)"), ("layer", "\(layer)"), ("entropy", Self.short(entry.entropy)),
        ("dropped_share", Self.short(entry.droppedShare)),
        ("imbalance", Self.short(entry.load.imbalance)), ("load", load),
      ])
    }
  }

  /// Appends a row about an evaluation.
  public func record(evaluation results: [NamedValue], step: Int) throws {
    let row = results.map { (name: $0.name, text: "\($0.value)") }
    try evaluation.append([(name: "step", text: "\(step)")] + row)
  }

  /// A number for display only, with six digits.
  private static func short(_ value: Double) -> String {
    value.isFinite && abs(value) < 1e12 ? NumberText.plain(value, 6) : "\(value)"
  }
}
