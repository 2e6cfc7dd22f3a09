import Foundation
public import SystemPackage

/// A table that a run writes, such as `metrics.csv`: names of columns, and rows of plain numbers or words.
///
/// It reads what Switchyard itself writes, in which values never contain a comma; an incomplete
/// last row is left out.
public struct MetricsTable: Hashable, Sendable {
  /// Names of the columns.
  public let columns: [String]
  /// Rows, each as long as ``columns``.
  public let rows: [[String]]

  /// Reads a table; a missing or unreadable one is empty.
  public init(_ path: FilePath) {
    let text = (try? String(contentsOfFile: path.string, encoding: .utf8)) ?? ""
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast().map {
      $0.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
    let header = lines.first ?? []
    columns = header
    rows = lines.dropFirst().filter { $0.count == header.count }
  }

  /// The numbers of a column; `nil` if there is no such column, or a value is not a number.
  public func numbers(_ name: String) -> [Double]? {
    guard let place = columns.firstIndex(of: name) else { return nil }
    let values = rows.compactMap { Double($0[place]) }
    return values.count == rows.count ? values : nil
  }

  /// The step of the last row, if the table has steps.
  public var lastStep: Int? {
    guard let place = columns.firstIndex(of: "step"),
      let step = rows.last.flatMap({ Int($0[place]) })
    else { return nil }
    return step >= 0 ? step : nil
  }

  /// The value of a column in the last row.
  public func last(_ name: String) -> Double? { numbers(name)?.last }
}
