public import SystemPackage

/// What the sparse layers of a run did by step, read from the `routing.csv` that it wrote.
public struct RoutingHistory: Hashable, Sendable {
  /// A sparse layer in one step.
  public struct Entry: Hashable, Sendable {
    /// Completed steps.
    public var step: Int
    /// Its index among the sparse layers.
    public var layer: Int
    /// The largest load divided by the mean load.
    public var imbalance: Double
    /// Assignments per expert.
    public var load: [Int]
  }

  /// All rows, by step and layer.
  public let entries: [Entry]

  /// Reads the table in the folder of a run; a missing or unreadable one has no rows.
  public init(_ folder: FilePath) {
    let table = MetricsTable(folder.appending("routing.csv"))
    let places = ["step", "layer", "imbalance", "load"].compactMap(table.columns.firstIndex)
    guard places.count == 4 else {
      entries = []
      return
    }
    entries = table.rows.compactMap { row in
      let load = row[places[3]].split(separator: " ").map { Int($0) }
      guard let step = Int(row[places[0]]), let layer = Int(row[places[1]]),
        let imbalance = Double(row[places[2]]), !load.contains(nil)
      else { return nil }
      return Entry(
        step: step, layer: layer, imbalance: imbalance, load: load.compactMap { $0 })
    }
  }

  /// Steps with rows, ascending.
  public var steps: [Int] { Set(entries.map(\.step)).sorted() }
  /// Layers with rows, ascending.
  public var layers: [Int] { Set(entries.map(\.layer)).sorted() }

  /// The rows of a layer, by step.
  public func entries(ofLayer layer: Int) -> [Entry] { entries.filter { $0.layer == layer } }
}
