import Foundation

/// Whether different kinds of tokens use different experts.
///
/// For groups `g` of tokens and experts `x`, `share = I(g; x) / H(g)` per layer: 0 if the expert
/// says nothing about the group, 1 if it determines the group. Assignments over all slots are
/// counted. Chance alone gives about `(G − 1)(E − 1) / (2 N ln 2)` bits (Miller 1955), which are
/// subtracted.
public struct Specialization: Hashable, Codable, Sendable {
  /// The criterion of the groups: "source", "position", "origin", "token class", or a caller's
  /// name.
  public var kind: String
  /// Names of the groups.
  public var groups: [String]
  /// The number of tokens of each group.
  public var tokens: [Int]
  /// The fraction of information per layer, 0 to 1.
  public var shares: [Double]
  /// The index, among the sparse layers, of the one with the largest fraction.
  public var clearest: Int
  /// How often a group uses an expert of that layer relative to all tokens, `p(x | g) / p(x)`:
  /// `[groups · experts]`, row-major; 1 where nothing was counted.
  public var lifts: [Double]

  /// Measures counts.
  ///
  /// - Parameters:
  ///   - kind: The criterion of the groups.
  ///   - groups: Their names.
  ///   - tokens: The number of tokens of each group.
  ///   - loads: `[layers][groups · experts]`, row-major.
  ///   - experts: The number of experts per layer.
  public init(kind: String, groups: [String], tokens: [Int], loads: [[Int]], experts: Int) {
    (self.kind, self.groups, self.tokens) = (kind, groups, tokens)
    shares = loads.map { table in
      let margins = Information.Margins(table, columns: experts)
      let bits = Information.entropy(margins.rows)
      let total = Double(max(1, table.reduce(0, +)))
      let freedom = Double(
        (margins.rows.count { $0 > 0 } - 1) * (margins.columns.count { $0 > 0 } - 1))
      let chance = max(0, freedom) / (2 * total * log(2))
      let excess = Information.mutual(table, columns: experts) - chance
      return bits > 0 ? max(0, excess) / bits : 0
    }
    let shares = shares
    clearest = shares.indices.max { shares[$0] < shares[$1] } ?? 0
    lifts = loads.isEmpty ? [] : Self.lifts(loads[clearest], experts: experts)
  }

  private static func lifts(_ table: [Int], experts: Int) -> [Double] {
    let margins = Information.Margins(table, columns: experts)
    let total = Double(table.reduce(0, +))
    return table.enumerated().map { place, count in
      let expected =
        Double(margins.rows[place / experts]) * Double(margins.columns[place % experts])
      return expected > 0 ? Double(count) * total / expected : 1
    }
  }

  /// Groups tokens of a trace and measures them, in one pass.
  ///
  /// - Parameters:
  ///   - trace: The trace.
  ///   - kind: The criterion of the groups.
  ///   - groups: Their names.
  ///   - group: The group of a token, given its index in the trace, its sequence, its position
  ///     there, and its id, if known; `nil` to skip it.
  /// - Throws: ``TracingError`` for a damaged trace.
  public init(
    _ trace: RoutingTrace, kind: String, groups: [String],
    by group: (_ sequence: Int, _ position: Int, _ token: Int32?) -> Int?
  ) throws {
    let header = trace.header
    var tokens = [Int](repeating: 0, count: groups.count)
    let tables = header.layers.map { _ in CountTable<Int>(groups.count * header.experts) }
    var (sequence, rows) = (-1, [Int]())
    try trace.forEachBlock { block in
      rows.removeAll(keepingCapacity: true)
      for place in 0..<block.range.count {
        let token = block.range.lowerBound + place
        while sequence + 1 < trace.sequenceStarts.count, trace.sequenceStarts[sequence + 1] <= token
        {
          sequence += 1
        }
        let id = unsafe block.tokens.map { unsafe $0[place] }
        let index = group(sequence, token - trace.sequenceStarts[sequence], id)
        if let index { tokens[index] += 1 }
        rows.append(index.map { $0 * header.experts } ?? -1)
      }
      let starts = rows
      block.forEachLayer(header) { layer in
        let choices = LayerChoices(
          block, layer: layer, k: header.k, width: header.choicesPerToken)
        choices.count(rows: starts, into: tables[layer])
      }
    }
    let loads = tables.map(\.array)
    self.init(kind: kind, groups: groups, tokens: tokens, loads: loads, experts: header.experts)
  }

  /// By the text that sequences came from; `nil` if the trace does not record it.
  ///
  /// - Throws: ``TracingError`` for a damaged trace.
  public static func bySource(_ trace: RoutingTrace) throws -> Specialization? {
    guard let sources = trace.sequenceSources, trace.header.sources.count > 1 else { return nil }
    return try Specialization(trace, kind: "source", groups: trace.header.sources) {
      sequence, _, _ in
      sources[sequence] >= 0 ? sources[sequence] : nil
    }
  }

  /// By the position in the sequence: 0, 1–3, 4–15, 16–63, ….
  ///
  /// - Throws: ``TracingError`` for a damaged trace.
  public static func byPosition(_ trace: RoutingTrace) throws -> Specialization {
    let groups = ["0", "1–3", "4–15", "16–63", "64–255", "256–1023", "1024 on"]
    return try Specialization(trace, kind: "position", groups: groups) { _, position, _ in
      min(groups.count - 1, (Int.bitWidth - position.leadingZeroBitCount + 1) / 2)
    }
  }

  /// By prompt and generated tokens; `nil` if the trace does not record it, or has only one kind.
  ///
  /// - Throws: ``TracingError`` for a damaged trace.
  public static func byOrigin(_ trace: RoutingTrace) throws -> Specialization? {
    guard let prompts = trace.promptLengths else { return nil }
    let result = try Specialization(trace, kind: "origin", groups: ["prompt", "generated"]) {
      sequence, position, _ in position < prompts[sequence] ? 0 : 1
    }
    return result.tokens.contains(0) ? nil : result
  }

  /// By the class of token; `nil` if the trace has no ids, or all are of one class.
  ///
  /// - Throws: ``TracingError`` for a damaged trace.
  public static func byTokenClass(
    _ trace: RoutingTrace, _ classes: TokenClasses
  ) throws -> Specialization? {
    guard trace.hasTokens else { return nil }
    let kinds = TokenClass.allCases
    let places = Dictionary(uniqueKeysWithValues: kinds.enumerated().map { ($1, $0) })
    var previous: TokenClass?
    let result = try Specialization(
      trace, kind: "token class", groups: kinds.map(\.rawValue)
    ) { _, position, token in
      let kind = token.flatMap { classes.kind($0, after: position == 0 ? nil : previous) }
      previous = kind
      return kind.flatMap { places[$0] }
    }
    return result.tokens.count { $0 > 0 } > 1 ? result : nil
  }
}
