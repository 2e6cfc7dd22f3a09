import MoECore

extension PlanFormat {
  /// Switchyard's JSON, which keeps everything.
  public static let plan = PlanFormat(
    "plan", help: "JSON of Switchyard, which keeps everything", text: { plan, _ in plan.jsonText },
    plan: { bytes, _ in try PlacementPlan.parseJSON(bytes) })
}

/// Switchyard's format: `{"version": 1, "layers": [ids], "experts": E, "nodes": N, "ranks": R,
/// "slots": [[…], …]}`.
private struct StoredPlan: Decodable {
  var version: Int
  var layers: [Int]
  var experts: Int
  var nodes: Int
  var ranks: Int
  var slots: [[Int]]
}

extension PlacementPlan {
  fileprivate var jsonText: String {
    let rows = slots.map { "    [\(Self.list($0))]" }.joined(separator: ",\n")
    return """
      {
        "version": 1,
        "layers": [\(Self.list(layerIDs))],
        "experts": \(experts),
        "nodes": \(nodes),
        "ranks": \(ranks),
        "slots": [
      \(rows)
        ]
      }

      """
  }

  fileprivate static func parseJSON(_ bytes: [UInt8]) throws -> PlacementPlan {
    let stored: StoredPlan = try decode(
      bytes,
      expected:
        "{\"version\": 1, \"layers\": […], \"experts\": …, \"nodes\": …, \"ranks\": …, \"slots\": [[…], …]}"
    )
    guard stored.version == 1 else {
      throw PlanRefusal("version \(stored.version) is unknown; this program reads version 1")
    }
    try refuseKeys(bytes)
    var hints = PlanHints(ranks: stored.ranks, experts: stored.experts, nodes: stored.nodes)
    guard stored.layers.count == stored.slots.count else {
      throw PlanRefusal(
        "'layers' names \(NumberText.counted(stored.layers.count, "layer")), 'slots' has \(stored.slots.count)"
      )
    }
    guard (1...stored.ranks.clamped).contains(stored.nodes) else {
      throw PlanRefusal(
        "\(stored.nodes) nodes for \(stored.ranks) ranks; expected 1 to \(stored.ranks)")
    }
    hints.layerIDs = nil
    return try assemble(rows: stored.slots, layerIDs: stored.layers, ranks: nil, hints)
  }
}

extension PlacementPlan {
  /// The keys of the format, all of which are required.
  private static let keys = ["version", "layers", "experts", "nodes", "ranks", "slots"]

  /// Refuses keys that the format does not have, and keys that occur twice: what they say would be lost.
  private static func refuseKeys(_ bytes: [UInt8]) throws {
    let value: JSONValue
    do { value = try JSONValue(parsing: bytes) } catch { throw PlanRefusal("it is \(error)") }
    guard case .object(let object) = value,
      let unknown = object.keys.first(where: { !keys.contains($0) })
    else { return }
    throw PlanRefusal(
      "'\(unknown)' is unknown; expected \(keys.map { "'\($0)'" }.joined(separator: ", "))")
  }
}

extension Int {
  /// At least 1, for ranges.
  fileprivate var clamped: Int { Swift.max(1, self) }
}
