extension PlanFormat {
  /// SGLang's `--init-expert-location` JSON: a row for every layer of the model, dense ones included.
  public static let sglang = PlanFormat(
    "sglang", help: "JSON of SGLang, with a row for every layer of the model",
    text: { plan, modelLayers in try plan.sglangText(modelLayers: modelLayers) },
    plan: { bytes, hints in try PlacementPlan.parseSGLang(bytes, hints) })
}

/// `{"physical_to_logical_map": [[expert per slot] per layer]}`, or the rows alone, as EPLB returns them.
private struct SGLangFile: Decodable {
  var physical_to_logical_map: [[Int]]
}

extension PlacementPlan {
  fileprivate func sglangText(modelLayers: Int?) throws -> String {
    let count = modelLayers ?? (layerIDs.last ?? 0) + 1
    guard count <= PlacementProblem.maximumLayers else {
      throw PlacementError.planMismatch(
        message:
          "a model of \(count) layers is larger than any; there can be at most \(PlacementProblem.maximumLayers)"
      )
    }
    guard count > layerIDs.last ?? 0 else {
      throw PlacementError.planMismatch(
        message:
          "a model of \(count) layers has no layer \(layerIDs.last ?? 0); give the number of all layers"
      )
    }
    let width = slots[0].count
    var rows = Array(repeating: (0..<width).map { $0 % experts }, count: count)
    for (id, row) in zip(layerIDs, slots) { rows[id] = row }
    let lines = rows.map { "    [\(Self.list($0))]" }.joined(separator: ",\n")
    return "{\n  \"physical_to_logical_map\": [\n\(lines)\n  ]\n}\n"
  }

  fileprivate static func parseSGLang(_ bytes: [UInt8], _ hints: PlanHints) throws -> PlacementPlan
  {
    let expected =
      "{\"physical_to_logical_map\": [[expert per slot] for every layer]}, or these rows alone"
    let isList = bytes.first { !" \r\n\t".utf8.contains($0) } == UInt8(ascii: "[")
    let rows: [[Int]]
    if isList {
      rows = try decode(bytes, expected: expected)
    } else {
      let file: SGLangFile = try decode(bytes, expected: expected)
      rows = file.physical_to_logical_map
    }
    return try assemble(rows: rows, layerIDs: Array(rows.indices), ranks: nil, hints)
  }
}
