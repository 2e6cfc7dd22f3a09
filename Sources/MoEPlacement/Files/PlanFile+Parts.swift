import Foundation
import MoECore
import SystemPackage

extension PlacementPlan {
  /// A plan from rows of slots, with hints for what the file does not say.
  static func assemble(
    rows: [[Int]], layerIDs: [Int], ranks: Int?, _ hints: PlanHints
  ) throws -> PlacementPlan {
    guard let first = rows.first, !first.isEmpty else {
      throw PlanRefusal("it has no layers with slots; expected a list per layer")
    }
    guard let ranks = hints.ranks ?? ranks else {
      throw SettingError(
        key: "ranks", value: "absent",
        expected: "the number of ranks, which this format does not say")
    }
    var (rows, ids) = (rows, layerIDs)
    if let wanted = hints.layerIDs {
      var kept: [[Int]] = []
      for layer in wanted {
        guard let place = ids.firstIndex(of: layer) else {
          throw PlanRefusal("it has no layer \(layer); its layers are \(Self.short(ids))")
        }
        kept.append(rows[place])
      }
      (rows, ids) = (kept, wanted)
    }
    let largest = rows.joined().max() ?? 0
    let experts = hints.experts ?? min(largest, PlacementProblem.maximumExperts) + 1
    guard experts >= 1, experts <= PlacementProblem.maximumExperts else {
      throw PlanRefusal(
        hints.experts == nil
          ? "its largest expert is \(largest); experts are 0…\(PlacementProblem.maximumExperts - 1)"
          : "\(experts) experts; there can be 1…\(PlacementProblem.maximumExperts)")
    }
    guard ranks >= 1, ranks <= PlacementTopology.maximumRanks else {
      throw PlanRefusal("\(ranks) ranks; there can be 1…\(PlacementTopology.maximumRanks)")
    }
    return PlacementPlan(
      layerIDs: ids, experts: experts, ranks: ranks, nodes: hints.nodes, slots: rows)
  }

  private static func short(_ ids: [Int]) -> String {
    ids.count <= 8 ? "\(ids)" : "\(ids.count) from \(ids[0]) to \(ids[ids.count - 1])"
  }

  /// A row of numbers as most formats write it.
  static func list(_ numbers: [Int]) -> String { numbers.map(String.init).joined(separator: ", ") }

  /// Decodes JSON; a failure names the line or key and what the file should look like.
  static func decode<Value: Decodable>(_ bytes: [UInt8], expected: String) throws -> Value {
    do throws(ConfigurationError) {
      // The reader of the file adds its path.
      return try JSONText.value(Value.self, in: Data(bytes), of: "", expected: expected)
    } catch {
      guard case .invalidJSON(_, let message) = error else { throw error }
      let fraction = (try? JSONValue(parsing: bytes)).flatMap { Self.firstFraction(in: $0, at: "") }
      throw PlanRefusal(fraction.map { "expected \(expected), but \($0)" } ?? message)
    }
  }

  /// A number that is not an integer and its key, which the decoder does not name: "'ranks' is 4.5".
  private static func firstFraction(in value: JSONValue, at key: String) -> String? {
    switch value {
    case .number(let number) where Int(exactly: number) == nil:
      return "'\(key)' is \(number), which is no integer"
    case .array(let items):
      for (index, item) in items.enumerated() {
        if let found = firstFraction(in: item, at: "\(key)[\(index)]") { return found }
      }
    case .object(let object):
      for (name, item) in object {
        if let found = firstFraction(in: item, at: key.isEmpty ? name : "\(key).\(name)") {
          return found
        }
      }
    default: break
    }
    return nil
  }
}
