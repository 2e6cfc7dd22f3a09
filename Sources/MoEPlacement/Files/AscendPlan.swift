extension PlanFormat {
  /// vLLM-Ascend's expert map JSON.
  public static let ascend = PlanFormat(
    "ascend", help: "the expert map of vLLM-Ascend, JSON", text: { plan, _ in plan.ascendText },
    plan: { bytes, hints in try PlacementPlan.parseAscend(bytes, hints) })
}

/// vLLM-Ascend's expert map.
private struct AscendFile: Decodable {
  struct Layer: Decodable {
    var layer_id: Int
    var device_count: Int
    var device_list: [Device]
  }
  struct Device: Decodable {
    var device_id: Int
    var device_expert: [Int]
  }
  var moe_layer_count: Int
  var layer_list: [Layer]
}

extension PlacementPlan {
  fileprivate var ascendText: String {
    let perRank = slotsPerRank
    let all = zip(layerIDs, slots).map { id, row in
      let devices = (0..<ranks).map { rank in
        let held = Self.list(Array(row[rank * perRank..<(rank + 1) * perRank]))
        return "        {\"device_id\": \(rank), \"device_expert\": [\(held)]}"
      }.joined(separator: ",\n")
      return """
            {"layer_id": \(id), "device_count": \(ranks), "device_list": [
        \(devices)
            ]}
        """
    }.joined(separator: ",\n")
    return "{\n  \"moe_layer_count\": \(layers),\n  \"layer_list\": [\n\(all)\n  ]\n}\n"
  }

  fileprivate static func parseAscend(_ bytes: [UInt8], _ hints: PlanHints) throws -> PlacementPlan
  {
    let file: AscendFile = try decode(
      bytes,
      expected:
        "{\"moe_layer_count\": L, \"layer_list\": [{\"layer_id\", \"device_count\", \"device_list\": [{\"device_id\", \"device_expert\"}]}]}"
    )
    guard file.moe_layer_count == file.layer_list.count else {
      throw PlanRefusal(
        "'moe_layer_count' is \(file.moe_layer_count), but there are \(file.layer_list.count) layers"
      )
    }
    var rows: [[Int]] = []
    for layer in file.layer_list {
      let devices = layer.device_list.sorted { $0.device_id < $1.device_id }
      guard layer.device_count == devices.count,
        devices.map(\.device_id) == Array(0..<devices.count)
      else {
        throw PlanRefusal(
          "layer \(layer.layer_id): devices must be those below 'device_count', which is \(layer.device_count), each once"
        )
      }
      guard devices.allSatisfy({ $0.device_expert.count == devices[0].device_expert.count }) else {
        throw PlanRefusal("layer \(layer.layer_id): devices hold different numbers of experts")
      }
      rows.append(devices.flatMap(\.device_expert))
    }
    let ranks = file.layer_list.first?.device_count
    guard file.layer_list.allSatisfy({ $0.device_count == ranks }) else {
      throw PlanRefusal("layers have different numbers of devices")
    }
    return try assemble(rows: rows, layerIDs: file.layer_list.map(\.layer_id), ranks: ranks, hints)
  }
}
