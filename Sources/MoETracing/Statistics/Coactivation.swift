/// Two experts of a layer that tokens choose together more often than their loads explain.
///
///     lift = n(i, p) · N / (n_i · n_p)         1: as often as by chance
public struct Coactivation: Hashable, Codable, Sendable {
  /// The first expert, the smaller number.
  public var first: Int
  /// The second expert.
  public var second: Int
  /// Tokens that chose both.
  public var tokens: Int
  /// How much more often than if choices were independent.
  public var lift: Double

  /// The pairs of a layer with the most tokens in common, most first.
  ///
  /// - Parameters:
  ///   - table: Symmetric counts, `experts²`.
  ///   - load: Tokens per expert.
  ///   - tokenCount: Tokens in all.
  ///   - limit: How many pairs.
  /// - Returns: The pairs.
  public static func top(
    _ table: [Int], load: [Int], tokenCount: Int, limit: Int = 3
  ) -> [Coactivation] {
    var pairs: [Coactivation] = []
    for i in load.indices {
      for p in load.indices.dropFirst(i + 1) where table[i * load.count + p] > 0 {
        let together = table[i * load.count + p]
        let expected = Double(load[i]) * Double(load[p]) / Double(max(1, tokenCount))
        pairs.append(
          .init(first: i, second: p, tokens: together, lift: Double(together) / expected))
      }
    }
    return Array(pairs.sorted { ($0.tokens, $1.first) > ($1.tokens, $0.first) }.prefix(limit))
  }
}

/// How often every pair of experts of a layer is chosen together, over what their loads explain.
public struct CoactivationTable: Hashable, Codable, Sendable {
  /// The layer's place in the model.
  public var layer: Int
  /// Lift of each pair, `experts²` row-major, 1 as often as by chance; 0 on the diagonal.
  public var lifts: [Double]

  /// Fewest tokens that a pair must share by chance before its lift counts as strong.
  private static let fewestExpected = 20.0

  /// The table of the layer with the highest lift among pairs that chance would bring together some 20 times.
  ///
  /// - Parameter counts: What was counted.
  /// - Returns: The table; `nil` if pairs were not counted, or tokens have one expert.
  public static func strongest(_ counts: RoutingCounts) -> CoactivationTable? {
    guard let tables = counts.coactivations, counts.k > 1, counts.tokenCount > 0 else { return nil }
    let experts = counts.expertCount
    var best: (lift: Double, layer: Int) = (-1, 0)
    for layer in tables.indices {
      let load = counts.loads[layer]
      for i in 0..<experts {
        for p in 0..<i {
          let expected = Double(load[i]) * Double(load[p]) / Double(counts.tokenCount)
          guard expected >= fewestExpected else { continue }
          let lift = Double(tables[layer][i * experts + p]) / expected
          if lift > best.lift { best = (lift, layer) }
        }
      }
    }
    let (load, table) = (counts.loads[best.layer], tables[best.layer])
    let lifts = table.enumerated().map { place, count in
      let expected = Double(load[place / experts]) * Double(load[place % experts])
      return expected > 0 ? Double(count) * Double(counts.tokenCount) / expected : 0
    }
    return CoactivationTable(layer: counts.layers[best.layer], lifts: lifts)
  }
}
