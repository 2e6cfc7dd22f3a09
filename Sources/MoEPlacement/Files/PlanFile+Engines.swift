import MoECore

/// `{"physical_to_logical_map": [[expert per slot] per layer]}`.
private struct SGLangFile: Decodable {
  var physical_to_logical_map: [[Int]]
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
  // MARK: ExFlow

  /// One line per global expert, `layer · experts + expert`, in the order of the plan's layers.
  func exflowText() throws -> String {
    guard replicas == 0 else {
      throw PlacementError.unsupported(
        method: "ExFlow's CSV", feature: "replicas", instead: "another format")
    }
    var lines = ["Expert,Node"]
    for layer in 0..<layers {
      for (expert, ranks) in ranksOfExperts(layer: layer).enumerated() {
        lines.append("\(layer * experts + expert),\(ranks[0])")
      }
    }
    return lines.joined(separator: "\n") + "\n"
  }

  static func parseExFlow(_ bytes: [UInt8], _ hints: PlanHints) throws -> PlacementPlan {
    guard let experts = hints.experts, experts >= 1, experts <= PlacementProblem.maximumExperts
    else {
      throw PlanRefusal("the CSV does not say how many experts a layer has; give --experts")
    }
    let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
    guard lines.first.map({ $0.filter { !$0.isWhitespace } }) == "Expert,Node" else {
      throw PlanRefusal("line 1 must be 'Expert,Node'")
    }
    let count = lines.count - 1
    guard count >= 1, count.isMultiple(of: experts),
      count / experts <= PlacementProblem.maximumLayers
    else {
      throw PlanRefusal("\(count) rows do not divide into layers of \(experts) experts")
    }
    var rankOf = [Int](repeating: -1, count: count)
    for (index, line) in lines.dropFirst().enumerated() {
      let fields = line.split(separator: ",", omittingEmptySubsequences: false).map {
        Int($0.filter { !$0.isWhitespace })
      }
      guard fields.count == 2, let expert = fields[0], let rank = fields[1],
        rankOf.indices.contains(expert), rank >= 0, rank < PlacementTopology.maximumRanks
      else {
        throw PlanRefusal(
          "line \(index + 2) is '\(line.prefix(40))'; expected an expert in 0…\(count - 1) and a rank"
        )
      }
      guard rankOf[expert] < 0 else {
        throw PlanRefusal("line \(index + 2): expert \(expert) occurs twice")
      }
      rankOf[expert] = rank
    }
    let ranks = hints.ranks ?? (rankOf.max() ?? 0) + 1
    let rows = (0..<count / experts).map { layer in
      (0..<ranks).flatMap { rank in
        (0..<experts).filter { rankOf[layer * experts + $0] == rank }
      }
    }
    try refuseUneven(rankOf, experts: experts, ranks: ranks)
    let ids = hints.layerIDs ?? Array(rows.indices)
    guard ids.count == rows.count else {
      throw PlanRefusal("it has \(rows.count) layers, but --layers names \(ids.count)")
    }
    var open = hints
    open.layerIDs = nil
    return try assemble(rows: rows, layerIDs: ids, ranks: ranks, open)
  }

  private static func refuseUneven(_ rankOf: [Int], experts: Int, ranks: Int) throws {
    for layer in 0..<rankOf.count / experts {
      var counts = [Int](repeating: 0, count: ranks)
      for rank in rankOf[layer * experts..<(layer + 1) * experts] {
        guard rank < ranks else {
          throw PlanRefusal("layer \(layer) uses rank \(rank), but there are \(ranks)")
        }
        counts[rank] += 1
      }
      guard counts.allSatisfy({ $0 * ranks == experts }) else {
        throw PlanRefusal(
          "layer \(layer) puts \(counts.min() ?? 0) to \(counts.max() ?? 0) experts on a rank; every rank must hold the same number"
        )
      }
    }
  }

  // MARK: SGLang

  func sglangText(modelLayers: Int?) throws -> String {
    let count = modelLayers ?? (layerIDs.last ?? 0) + 1
    guard count > layerIDs.last ?? 0, count <= PlacementProblem.maximumLayers else {
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

  static func parseSGLang(_ bytes: [UInt8], _ hints: PlanHints) throws -> PlacementPlan {
    let file: SGLangFile = try decode(
      bytes, expected: "{\"physical_to_logical_map\": [[expert per slot] for every layer]}")
    let rows = file.physical_to_logical_map
    return try assemble(rows: rows, layerIDs: Array(rows.indices), ranks: nil, hints)
  }

  // MARK: vLLM-Ascend

  var ascendText: String {
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

  static func parseAscend(_ bytes: [UInt8], _ hints: PlanHints) throws -> PlacementPlan {
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
          "layer \(layer.layer_id): devices must be 0 to \(layer.device_count - 1), each once")
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

  // MARK: TensorRT-LLM

  var tensorrtText: String {
    let rows = zip(layerIDs, slots).map { "  \($0): [\(Self.list($1))]" }.joined(separator: "\n")
    return """
      num_slots: \(slots[0].count)
      initial_global_assignments:
      \(rows)
      layer_updates_per_iter: 0

      """
  }

  /// Reads the two keys that contain a plan, with lists on one line or one item per line; other
  /// keys are ignored.
  static func parseTensorRT(_ bytes: [UInt8], _ hints: PlanHints) throws -> PlacementPlan {
    var reader = AssignmentYAML()
    for (index, line) in String(decoding: bytes, as: UTF8.self)
      .split(separator: "\n", omittingEmptySubsequences: false).enumerated()
    {
      try reader.read(line, number: index + 1)
    }
    try reader.finish()
    guard let count = reader.slots else { throw PlanRefusal("'num_slots' is missing") }
    for (id, row) in reader.rows where row.count != count {
      throw PlanRefusal("layer \(id) has \(row.count) slots, but 'num_slots' is \(count)")
    }
    let sorted = reader.rows.sorted { $0.layer < $1.layer }
    return try assemble(
      rows: sorted.map(\.experts), layerIDs: sorted.map(\.layer), ranks: nil, hints)
  }
}
