import MoECore

extension PlanFormat {
  /// ExFlow's CSV: `Expert,Node` with global expert ids; no replicas.
  public static let exflow = PlanFormat(
    "exflow", help: "ExFlow's CSV, without replicas",
    text: { plan, _ in try plan.exflowText() },
    plan: { bytes, hints in try PlacementPlan.parseExFlow(bytes, hints) })
}

extension PlacementPlan {
  /// One line per global expert, `layer · experts + expert`, in the order of the plan's layers.
  fileprivate func exflowText() throws -> String {
    guard replicas == 0, violations.isEmpty else {
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

  fileprivate static func parseExFlow(_ bytes: [UInt8], _ hints: PlanHints) throws -> PlacementPlan
  {
    guard let experts = hints.experts, experts >= 1, experts <= PlacementProblem.maximumExperts
    else {
      throw SettingError(
        key: "experts", value: hints.experts.map { "\($0)" } ?? "absent",
        expected: "the number of experts per layer, which the CSV does not say")
    }
    let lines = String(decoding: bytes, as: UTF8.self).split(whereSeparator: \.isNewline)
    guard lines.first.map({ $0.filter { !$0.isWhitespace } }) == "Expert,Node" else {
      throw PlanRefusal("line 1 must be 'Expert,Node'")
    }
    let count = lines.count - 1
    guard count >= 1, count.isMultiple(of: experts),
      count / experts <= PlacementProblem.maximumLayers
    else {
      throw PlanRefusal(
        "\(NumberText.counted(count, "row")) \(count == 1 ? "is" : "are") not a whole number of layers of \(NumberText.counted(experts, "expert"))"
      )
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
    guard 1...PlacementTopology.maximumRanks ~= ranks else {
      throw PlanRefusal("\(ranks) ranks; there can be 1…\(PlacementTopology.maximumRanks)")
    }
    let rows = (0..<count / experts).map { layer in
      (0..<ranks).flatMap { rank in
        (0..<experts).filter { rankOf[layer * experts + $0] == rank }
      }
    }
    try refuseUneven(rankOf, experts: experts, ranks: ranks)
    let ids = hints.layerIDs ?? Array(rows.indices)
    guard ids.count == rows.count else {
      throw SettingError(
        key: "layerIDs", value: "a list of \(ids.count)",
        expected: "a list of all \(rows.count) layers of the file")
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
}
