import MoECore
public import SystemPackage

/// Loads per layer and expert, if nothing else was recorded.
///
/// Supported formats: JSON `[[…], …]` or `{"0": […], …}` by layer; CSV with a row per layer; NumPy
/// `[layers, experts]`; SGLang's aggregated dumps (`logical_count`). Fractional values, such as
/// fractions of tokens, are first rounded to millionths.
public enum CountMatrix {
  /// Reads loads.
  ///
  /// - Returns: Counts without transitions; the unknown number of tokens is set to the largest sum
  ///   of a layer.
  /// - Throws: ``TracingError``, `PickleError` or `FileError`.
  public static func read(_ path: FilePath) throws -> RoutingCounts {
    let (layers, rows) = try rows(path)
    let width = rows.first?.count ?? 0
    guard width > 0, width <= RoutingTraceHeader.expertLimit,
      rows.allSatisfy({ $0.count == width })
    else {
      throw TracingError.invalidFile(path, "its rows differ in length; expected [layers][experts]")
    }
    guard rows.allSatisfy({ $0.allSatisfy { $0 >= 0 && $0 < 1e15 } }) else {
      throw TracingError.invalidFile(path, "it holds numbers that are not counts")
    }
    let isWhole = rows.allSatisfy { $0.allSatisfy { $0 == $0.rounded() } }
    let loads = rows.map { row in row.map { Int(($0 * (isWhole ? 1 : 1e6)).rounded()) } }
    return RoutingCounts(
      layers: layers, expertCount: width, k: 1,
      tokenCount: loads.map { $0.reduce(0, +) }.max() ?? 0, loads: loads, firstLoads: loads,
      weightedLoads: loads.map { $0.map(Double.init) })
  }

  private static func rows(_ path: FilePath) throws -> (layers: [Int], rows: [[Double]]) {
    func numbered(_ rows: [[Double]]) -> ([Int], [[Double]]) { (Array(rows.indices), rows) }
    switch path.extension {
    case "npy":
      let file = try NumPyFile(path)
      guard file.shape.count == 2 else {
        throw TracingError.invalidFile(
          path, "its shape is \(file.shape); expected [layers, experts]")
      }
      let width = file.shape[1]
      return numbered((0..<file.shape[0]).map { file.floats($0 * width..<($0 + 1) * width) })
    case "pt", "pth":
      guard let loads = try SGLangRecords(path).loads else {
        throw TracingError.invalidFile(path, "it has no 'logical_count'")
      }
      return numbered(loads.map { $0.map(Double.init) })
    case "csv": return numbered(try csv(path))
    default: return try json(path)
    }
  }

  private static func csv(_ path: FilePath) throws -> [[Double]] {
    let file = try MappedFile(path)
    let text = file.count == 0 ? "" : file.text(0..<file.count)
    return try text.split(whereSeparator: \.isNewline).enumerated().map { number, line in
      let fields = line.split(separator: ",").map { Double($0.trimmingSpaces) }
      guard !fields.contains(nil) else {
        throw TracingError.invalidFile(
          path, "line \(number + 1) holds something that is not a number")
      }
      return fields.compactMap { $0 }
    }
  }

  private static func json(_ path: FilePath) throws -> ([Int], [[Double]]) {
    let file = try MappedFile(path)
    if let rows = try? file.json([[Double]].self) {
      return (Array(rows.indices), rows)
    }
    guard let rows = try? file.json([String: [Double]].self),
      !rows.keys.contains(where: { (Int($0) ?? -1) < 0 })
    else {
      throw TracingError.invalidFile(
        path, "expected JSON [[counts of a layer's experts], …] or {\"layer\": [counts], …}")
    }
    let sorted = rows.sorted { (Int($0.key) ?? 0) < (Int($1.key) ?? 0) }
    return (sorted.compactMap { Int($0.key) }, sorted.map(\.value))
  }
}

extension Substring {
  fileprivate var trimmingSpaces: String {
    String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }
}
