public import SystemPackage

/// The losses of a run by step, read from the tables that it wrote.
public struct LossCurves: Hashable, Sendable {
  /// A step and a loss.
  public struct Point: Hashable, Sendable {
    /// Completed steps.
    public var step: Int
    /// The loss, or another value that the curve shows.
    public var loss: Double
  }

  /// The task's own term of the training loss; where there are many steps, means of neighbours.
  public let training: [Point]
  /// The first result of each evaluation.
  public let validation: [Point]
  /// The mean factor of routed experts' outputs, where the task logs it; also averaged over
  /// neighbours.
  public let gate: [Point]
  /// The weights that evaluations used; `nil` if the run does not say.
  public let evaluated: RunWeights?

  /// Reads the tables in the folder of a run; missing or unreadable ones are left out.
  ///
  /// - Parameters:
  ///   - folder: The folder of the run.
  ///   - limit: Maximum number of points of the training loss; at least 1.
  public init(_ folder: FilePath, limit: Int = 200) {
    // Columns: step, epoch, units, loss, then its terms, the task's own first.
    let metrics = MetricsTable(folder.appending("metrics.csv"))
    let evaluations = MetricsTable(folder.appending("evaluation.csv"))
    let gates = metrics.columns.firstIndex(of: "gate")
    training = Self.smoothed(Self.points(metrics, column: 4), limit)
    gate = Self.smoothed(gates.map { Self.points(metrics, column: $0) } ?? [], limit)
    validation = Self.points(evaluations, column: 1)
    evaluated = RunWeights(evaluationsOf: folder)
  }

  private static func smoothed(_ all: [Point], _ limit: Int) -> [Point] {
    let width = (all.count + limit - 1) / limit
    return stride(from: 0, to: all.count, by: max(1, width)).map { start in
      let part = all[start..<min(start + width, all.count)]
      let sum = part.reduce(0) { $0 + $1.loss }
      return Point(step: part[part.endIndex - 1].step, loss: sum / Double(part.count))
    }
  }

  private static func points(_ table: MetricsTable, column: Int) -> [Point] {
    table.rows.compactMap { row in
      guard row.count > column, let step = Int(row[0]), let loss = Double(row[column]) else {
        return nil
      }
      return Point(step: step, loss: loss)
    }
  }
}
