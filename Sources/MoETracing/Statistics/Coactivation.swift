/// Two experts of a layer that tokens choose together more often than their loads explain.
///
///     lift = n(i, p) · N / (n_i · n_p)         1: as often as by chance
public struct Coactivation: Hashable, Codable, Sendable {
  /// The expert with the smaller index.
  public var first: Int
  /// The other expert.
  public var second: Int
  /// The number of tokens that chose both.
  public var tokens: Int
  /// The frequency relative to independent choices.
  public var lift: Double

  /// The pairs of a layer with the most common tokens, in descending order.
  ///
  /// - Parameters:
  ///   - table: Symmetric counts, `experts²`.
  ///   - load: Tokens per expert.
  ///   - tokenCount: The total number of tokens.
  ///   - limit: The number of pairs.
  /// - Returns: The pairs.
  public static func top(
    _ table: [Int], load: [Int], tokenCount: Int, limit: Int = 3
  ) -> [Coactivation] {
    var best: [Coactivation] = []
    for i in load.indices {
      for p in load.indices.dropFirst(i + 1) where table[i * load.count + p] > 0 {
        let together = table[i * load.count + p]
        // Of equal pairs, the first ones come first.
        guard best.count < limit || together > best[best.count - 1].tokens else { continue }
        let expected = Double(load[i]) * Double(load[p]) / Double(max(1, tokenCount))
        let place = best.firstIndex { $0.tokens < together } ?? best.count
        best.insert(
          .init(first: i, second: p, tokens: together, lift: Double(together) / expected),
          at: place)
        if best.count > limit { best.removeLast() }
      }
    }
    return best
  }
}

/// How often each pair of experts in a layer is chosen together, relative to what their loads
/// explain.
public struct CoactivationTable: Hashable, Codable, Sendable {
  /// The layer's index in the model.
  public var layer: Int
  /// The lift of each pair, `experts²` row-major: 1 for independent choices; 0 on the diagonal.
  public var lifts: [Double]

  /// The smallest expected number of common tokens for which a lift counts as strong.
  private static let fewestExpected = 20.0

  /// The table of the layer with the highest lift among pairs with at least about 20 expected
  /// common tokens.
  ///
  /// - Parameter counts: The counts.
  /// - Returns: The table; `nil` if pairs were not counted, or tokens have only one expert.
  public static func strongest(_ counts: RoutingCounts) -> CoactivationTable? {
    guard let tables = counts.coactivations, let tokens = counts.tokenCount, counts.k ?? 1 > 1,
      tokens > 0
    else { return nil }
    let experts = counts.expertCount
    var best: (lift: Double, layer: Int) = (-1, 0)
    for layer in tables.indices {
      let load = counts.loads[layer]
      for i in 0..<experts {
        for p in 0..<i {
          let expected = Double(load[i]) * Double(load[p]) / Double(tokens)
          guard expected >= fewestExpected else { continue }
          let lift = Double(tables[layer][i * experts + p]) / expected
          if lift > best.lift { best = (lift, layer) }
        }
      }
    }
    let (load, table) = (counts.loads[best.layer], tables[best.layer])
    let lifts = table.enumerated().map { place, count in
      let expected = Double(load[place / experts]) * Double(load[place % experts])
      return expected > 0 ? Double(count) * Double(tokens) / expected : 0
    }
    return CoactivationTable(layer: counts.layers[best.layer], lifts: lifts)
  }
}
