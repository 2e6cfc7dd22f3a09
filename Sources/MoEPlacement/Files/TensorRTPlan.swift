import MoECore

extension PlanFormat {
  /// TensorRT-LLM's load-balancer YAML.
  public static let tensorrt = PlanFormat(
    "tensorrt", help: "YAML of TensorRT-LLM's load balancer",
    text: { plan, _ in plan.tensorrtText },
    plan: { bytes, hints in try PlacementPlan.parseTensorRT(bytes, hints) })
}

extension PlacementPlan {
  fileprivate var tensorrtText: String {
    let rows = zip(layerIDs, slots).map { "  \($0): [\(Self.list($1))]" }.joined(separator: "\n")
    return """
      num_slots: \(slots[0].count)
      initial_global_assignments:
      \(rows)
      layer_updates_per_iter: 0

      """
  }

  /// Reads the two keys that hold a plan, with lists in one line or one item per line; other keys are ignored.
  fileprivate static func parseTensorRT(
    _ bytes: [UInt8], _ hints: PlanHints
  ) throws -> PlacementPlan {
    var reader = AssignmentYAML()
    for (index, line) in String(decoding: bytes, as: UTF8.self)
      .split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).enumerated()
    {
      try reader.read(line, number: index + 1)
    }
    try reader.finish()
    guard let count = reader.slots else { throw PlanRefusal("'num_slots' is missing") }
    for (id, row) in reader.rows where row.count != count {
      throw PlanRefusal(
        "layer \(id) has \(NumberText.counted(row.count, "slot")), but 'num_slots' is \(count)")
    }
    let sorted = reader.rows.sorted { $0.layer < $1.layer }
    return try assemble(
      rows: sorted.map(\.experts), layerIDs: sorted.map(\.layer), ranks: nil, hints)
  }
}
