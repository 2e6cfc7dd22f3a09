public import SystemPackage

/// The losses of a run along its steps, read from the tables that it wrote.
public struct LossCurves: Hashable, Sendable {
  /// A step and a loss.
  public struct Point: Hashable, Sendable {
    /// Steps done.
    public var step: Int
    /// The loss.
    public var loss: Double
  }

  /// The task's own term of the training loss; where there are many steps, means of neighbours.
  public let training: [Point]
  /// The first number of each evaluation.
  public let validation: [Point]

  /// Reads the tables in the folder of a run; what is missing or cannot be read is left out.
  ///
  /// - Parameters:
  ///   - folder: The folder of the run.
  ///   - limit: Most points of the training loss; at least 1.
  public init(_ folder: FilePath, limit: Int = 200) {
    // Columns: step, epoch, units, loss, then its terms, the task's own first.
    let all = Self.read(folder.appending("metrics.csv"), column: 4)
    let width = (all.count + limit - 1) / limit
    training = stride(from: 0, to: all.count, by: max(1, width)).map { start in
      let part = all[start..<min(start + width, all.count)]
      let sum = part.reduce(0) { $0 + $1.loss }
      return Point(step: part[part.endIndex - 1].step, loss: sum / Double(part.count))
    }
    validation = Self.read(folder.appending("evaluation.csv"), column: 1)
  }

  private static func read(_ path: FilePath, column: Int) -> [Point] {
    MetricsTable(path).rows.compactMap { row in
      guard row.count > column, let step = Int(row[0]), let loss = Double(row[column]) else {
        return nil
      }
      return Point(step: step, loss: loss)
    }
  }
}
