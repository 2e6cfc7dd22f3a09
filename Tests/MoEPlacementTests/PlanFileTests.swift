import Foundation
import MoECore
import MoEPlacement
import SystemPackage
import Testing

@Suite("Plan files")
struct PlanFileTests {
  /// Layers 1 and 3 of a model: 4 experts, 2 replicas, 2 ranks.
  private let plan = PlacementPlan(
    layerIDs: [1, 3], experts: 4, ranks: 2, slots: [[0, 2, 1, 0, 3, 1], [3, 1, 0, 2, 1, 3]])

  private func withFile<Result>(
    _ text: String = "", _ body: (FilePath) throws -> Result
  ) throws
    -> Result
  {
    let path = NSTemporaryDirectory() + "switchyard-plan-\(UUID().uuidString)"
    try Data(text.utf8).write(to: URL(filePath: path))
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try body(FilePath(path))
  }

  @Test("are read back unchanged", arguments: PlanFormats.registry.names)
  func roundTrip(name: String) throws {
    let format = try #require(PlanFormats.registry[name])
    let plan =
      name == "exflow"
      ? PlacementPlan(
        layerIDs: [1, 3], experts: 4, ranks: 2, slots: [[0, 2, 1, 3], [1, 3, 0, 2]])
      : plan
    try withFile { path in
      try plan.write(to: path, as: format, modelLayers: 5)
      let hints = PlanHints(ranks: 2, experts: 4, layerIDs: [1, 3])
      #expect(try PlacementPlan(contentsOf: path, as: format, hints: hints) == plan)
      // As an editor on Windows saves it; the two scalars are one character.
      let text = String(decoding: try MappedFile(path).copied(), as: UTF8.self)
      try AtomicFile.write(text.replacing("\n", with: "\r\n"), to: path)
      #expect(try PlacementPlan(contentsOf: path, as: format, hints: hints) == plan)
    }
  }

  @Test("of SGLang have a row for every layer of the model")
  func denseLayers() throws {
    try withFile { path in
      try plan.write(to: path, as: .sglang, modelLayers: 5)
      let all = try PlacementPlan(contentsOf: path, as: .sglang, hints: PlanHints(ranks: 2))
      #expect(
        all.layers == 5 && all.slots[0] == [0, 1, 2, 3, 0, 1] && all.slots[3] == plan.slots[1])
      #expect { try plan.write(to: path, as: .sglang, modelLayers: 3) } throws: {
        "\($0)".contains("has no layer 3")
      }
      #expect { try plan.write(to: path, as: .sglang, modelLayers: 100_000_000) } throws: {
        "\($0)".contains("at most 4096")
      }
    }
  }

  @Test("whose format leaves something open request it by the name of the hint")
  func openHints() throws {
    let csv = "Expert,Node\n0,0\n1,1\n"
    let map = #"{"physical_to_logical_map": [[0, 1]]}"#
    for (format, text, hints, key) in [
      (PlanFormat.exflow, csv, PlanHints(ranks: 2), "experts"),
      (.exflow, csv, PlanHints(ranks: 2, experts: 2, layerIDs: [0, 1]), "layerIDs"),
      (.sglang, map, PlanHints(), "ranks"),
    ] {
      try withFile(text) { path in
        let error = #expect(throws: SettingError.self) {
          try PlacementPlan(contentsOf: path, as: format, hints: hints)
        }
        #expect(error?.key == key)
      }
    }
  }

  @Test("of illegal plans are never written")
  func illegal() throws {
    try withFile { path in
      let bad = PlacementPlan(layerIDs: [0], experts: 2, ranks: 2, slots: [[0, 0]])
      for format in PlanFormats.registry.all {
        #expect(throws: PlacementError.self) { try bad.write(to: path, as: format) }
      }
      #expect(throws: PlacementError.self) { try plan.write(to: path, as: .exflow) }
    }
  }

  @Test(
    "that are broken are refused with a reason",
    arguments: [
      (PlanFormat.plan, ""), (.plan, "[]"), (.plan, "{\"version\": 1}"),
      (
        .plan,
        "{\"version\": 9, \"layers\": [0], \"experts\": 1, \"nodes\": 1, \"ranks\": 1, \"slots\": [[0]]}"
      ),
      (
        .plan,
        "{\"version\": 1, \"layers\": [0, 1], \"experts\": 1, \"nodes\": 1, \"ranks\": 1, \"slots\": [[0]]}"
      ),
      (
        .plan,
        "{\"version\": 1, \"layers\": [0], \"experts\": 1, \"nodes\": 1, \"ranks\": 1, \"slots\": [[0]], \"slot\": 1}"
      ),
      (
        .plan,
        "{\"version\": 1, \"layers\": [0], \"experts\": 1, \"nodes\": 1, \"ranks\": 1, \"slots\": [[0]], \"ranks\": 1}"
      ),
      (.sglang, "{\"physical_to_logical_map\": [[9223372036854775807]]}"),
      (
        .ascend,
        "{\"moe_layer_count\": 1, \"layer_list\": [{\"layer_id\": 0, \"device_count\": -9223372036854775808, \"device_list\": []}]}"
      ),
      (.exflow, "Expert,Node\n0,0\n0,1\n1,0\n2,1\n"), (.exflow, "a,b\n0,0\n"),
      (.exflow, "Expert,Node\n0,0\n1,0\n2,0\n3,1\n"), (.sglang, "{}"),
      (.sglang, "{\"physical_to_logical_map\": []}"),
      (.ascend, "{\"moe_layer_count\": 2}"),
      (.ascend, "{\"moe_layer_count\": 2, \"layer_list\": []}"), (.tensorrt, "num_slots: 4"),
      (.tensorrt, "num_slots: 4\ninitial_global_assignments:\n  0: [0, 1"),
      (.tensorrt, "num_slots: 4\ninitial_global_assignments:\n  0: [0, x, 1, 2]"),
      (.tensorrt, "num_slots: 4\ninitial_global_assignments:\n  - 3"),
      (.tensorrt, "num_slots: 4\ninitial_global_assignments:\n  0: [0, 1, 2]"),
    ])
  func broken(format: PlanFormat, text: String) throws {
    _ = try withFile(text) { path in
      #expect(throws: PlacementError.self) {
        try PlacementPlan(
          contentsOf: path, as: format,
          hints: PlanHints(ranks: 2, experts: format.name == "sglang" ? nil : 4))
      }
    }
  }

  @Test("say where their JSON is wrong")
  func places() throws {
    let start = "{\"version\": 1, \"layers\": [0], \"experts\": 1, \"nodes\": 1, "
    for (text, expected) in [
      (start + "\"ranks\": 4.5, \"slots\": [[0]]}", "'ranks' is 4.5"),
      ("[]", "it has the wrong type"),
      (start + "\n\"ranks\": 1, \"slots\": [[0]]", "line 2"),
    ] {
      _ = try withFile(text) { path in
        #expect { try PlacementPlan(contentsOf: path) } throws: {
          "\($0)".contains(expected) && "\($0)".hasPrefix(path.string)
            && !"\($0)".contains("not JSON")
        }
      }
    }
  }

  @Test("of EPLB are rows alone")
  func rows() throws {
    try withFile(" [[0, 1, 1, 0], [1, 0, 0, 1]]") { path in
      let plan = try PlacementPlan(contentsOf: path, as: .sglang, hints: PlanHints(ranks: 2))
      #expect(plan.slots == [[0, 1, 1, 0], [1, 0, 0, 1]] && plan.experts == 2)
    }
  }

  @Test("of another format are named", arguments: PlanFormats.registry.names)
  func otherFormat(name: String) throws {
    let format = try #require(PlanFormats.registry[name])
    let plan = PlacementPlan(layerIDs: [0], experts: 2, ranks: 2, slots: [[0, 1]])
    try withFile { path in
      try plan.write(to: path, as: format)
      for other in PlanFormats.registry.all where other.name != name {
        #expect(throws: PlacementError.otherFormat(path: path.string, format: name)) {
          try PlacementPlan(contentsOf: path, as: other, hints: PlanHints(ranks: 2, experts: 2))
        }
      }
    }
  }

  @Test("with an unknown key are refused by its name")
  func unknownKey() throws {
    let text =
      "{\"version\": 1, \"layers\": [0], \"experts\": 1, \"nodes\": 1, \"ranks\": 1, \"slots\": [[0]], \"weights\": 1}"
    _ = try withFile(text) { path in
      #expect { try PlacementPlan(contentsOf: path) } throws: { "\($0)".contains("'weights'") }
    }
    _ = try withFile("{\"physical_to_logical_map\": [[0, 1]]}") { path in
      let plan = try PlacementPlan(contentsOf: path, as: .sglang, hints: PlanHints(ranks: 2))
      let far = PlacementPlan(layerIDs: [.max], experts: 2, ranks: 2, slots: plan.slots)
      #expect(throws: PlacementError.self) { try far.write(to: path, as: .sglang) }
    }
    _ = try withFile("Expert,Node\n0,0\n1,1\n") { path in
      #expect(throws: PlacementError.self) {
        try PlacementPlan(
          contentsOf: path, as: .exflow, hints: PlanHints(ranks: -1, experts: 2))
      }
    }
  }
}
