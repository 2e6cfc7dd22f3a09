import Foundation
import MoECore

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
  var jsonText: String {
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

  static func list(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ", ") }

  static func parseJSON(_ bytes: [UInt8]) throws -> PlacementPlan {
    let stored: StoredPlan = try decode(
      bytes,
      expected:
        "{\"version\": 1, \"layers\": […], \"experts\": …, \"nodes\": …, \"ranks\": …, \"slots\": [[…], …]}"
    )
    guard stored.version == 1 else {
      throw PlanRefusal("version \(stored.version) is unknown; this program reads version 1")
    }
    var hints = PlanHints(ranks: stored.ranks, experts: stored.experts, nodes: stored.nodes)
    guard stored.layers.count == stored.slots.count else {
      throw PlanRefusal(
        "'layers' names \(stored.layers.count) layers, 'slots' has \(stored.slots.count)")
    }
    guard (1...stored.ranks.clamped).contains(stored.nodes) else {
      throw PlanRefusal(
        "\(stored.nodes) nodes for \(stored.ranks) ranks; expected 1 to \(stored.ranks)")
    }
    hints.layerIDs = nil
    return try assemble(rows: stored.slots, layerIDs: stored.layers, ranks: nil, hints)
  }

  /// Decodes JSON; errors name the key and the expected format.
  static func decode<Value: Decodable>(_ bytes: [UInt8], expected: String) throws -> Value {
    do {
      return try JSONDecoder().decode(Value.self, from: Data(bytes))
    } catch let error as DecodingError {
      throw PlanRefusal("\(place(of: error)); expected \(expected)")
    } catch {
      throw PlanRefusal("it is not JSON; expected \(expected)")
    }
  }

  private static func place(of error: DecodingError) -> String {
    let path = { (keys: [any CodingKey]) in
      keys.map { $0.intValue.map { "[\($0)]" } ?? $0.stringValue }.joined(separator: ".")
    }
    return switch error {
    case .keyNotFound(let key, let context): "'\(path(context.codingPath + [key]))' is missing"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      "'\(path(context.codingPath))' has the wrong type"
    case .dataCorrupted(let context):
      context.codingPath.isEmpty ? "it is not JSON" : "'\(path(context.codingPath))' is broken"
    @unknown default: "it is broken"
    }
  }
}

extension Int {
  /// At least 1, for ranges.
  fileprivate var clamped: Int { Swift.max(1, self) }
}
