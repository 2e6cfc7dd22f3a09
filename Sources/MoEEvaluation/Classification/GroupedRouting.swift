import Foundation
import MoETracing

/// Expert usage by group, for inputs of known groups with one expert each.
public struct GroupedRouting: Hashable, Codable, Sendable {
  /// Names of the groups, such as classes.
  public let groups: [String]
  /// Number of experts.
  public let experts: Int
  /// The number of inputs of group `g` on expert `e`, at `g · experts + e`.
  public let counts: [Int]
  /// The mean gate probability of each expert.
  public let shares: [Double]
  /// The mean entropy of the gate probabilities per input, in nats: 0 if the gate is always
  /// certain, ln experts if it is uniform.
  public let entropy: Double

  /// Counts choices.
  ///
  /// - Parameters:
  ///   - chosen: The expert of each input.
  ///   - gate: The gate probabilities, `experts` numbers per input, in the order of the inputs.
  ///   - group: The group of each input.
  ///   - groups: Names of the groups.
  ///   - experts: Number of experts.
  /// - Precondition: All arrays describe the same inputs.
  public init(chosen: [Int], gate: [Float], group: [Int], groups: [String], experts: Int) {
    precondition(
      chosen.count == group.count && gate.count == chosen.count * experts,
      "\(chosen.count) choices, \(group.count) groups, \(gate.count) shares of \(experts) experts")
    (self.groups, self.experts) = (groups, experts)
    var counts = [Int](repeating: 0, count: groups.count * experts)
    var (shares, entropy) = ([Double](repeating: 0, count: experts), 0.0)
    for (input, expert) in chosen.enumerated() {
      counts[group[input] * experts + expert] += 1
      for other in 0..<experts {
        let share = Double(gate[input * experts + other])
        shares[other] += share
        if share > 0 { entropy -= share * log(share) }
      }
    }
    let total = Double(max(1, chosen.count))
    self.counts = counts
    self.shares = shares.map { $0 / total }
    self.entropy = entropy / total
  }

  /// The fraction of inputs on each expert.
  public var usage: [Double] {
    let total = Double(max(1, counts.reduce(0, +)))
    return (0..<experts).map { expert in
      Double(groups.indices.reduce(0) { $0 + counts[$1 * experts + expert] }) / total
    }
  }

  /// The fraction of a group's inputs on each expert: P(expert | group); `nil` for an empty group.
  public func usage(ofGroup group: Int) -> [Double]? {
    let row = counts[group * experts..<(group + 1) * experts]
    let total = row.reduce(0, +)
    return total > 0 ? row.map { Double($0) / Double(total) } : nil
  }

  /// The mutual information between expert and group, in bits.
  ///
  /// Chance alone gives about `(G − 1)(E − 1) / (2 N ln 2)` for a sample, which is not subtracted.
  public var mutualInformation: Double { Information.mutual(counts, columns: experts) }

  /// The fraction of inputs on which two training runs choose the same expert.
  ///
  /// - Parameters:
  ///   - first: The expert of each input in one run.
  ///   - second: The same in another.
  ///   - experts: Number of experts.
  ///   - exchangeable: Whether experts are interchangeable, as those of one kind are; then the best
  ///     permutation counts. With more than eight experts, none is tried.
  /// - Returns: 0 to 1; 1 for no inputs.
  /// - Complexity: O(inputs + experts! · experts).
  public static func agreement(
    _ first: [Int], _ second: [Int], experts: Int, exchangeable: Bool
  ) -> Double {
    precondition(first.count == second.count, "\(first.count) and \(second.count) inputs")
    guard !first.isEmpty else { return 1 }
    var table = [[Int]](repeating: [Int](repeating: 0, count: experts), count: experts)
    for (a, b) in zip(first, second) { table[a][b] += 1 }
    let named = (0..<experts).reduce(0) { $0 + table[$1][$1] }
    let best = exchangeable && experts <= 8 ? bestMatching(table, [], 0) : named
    return Double(best) / Double(first.count)
  }

  /// The largest sum of cells with one from each row and column.
  private static func bestMatching(_ table: [[Int]], _ used: Set<Int>, _ row: Int) -> Int {
    guard row < table.count else { return 0 }
    return table.indices.filter { !used.contains($0) }.map { column in
      table[row][column] + bestMatching(table, used.union([column]), row + 1)
    }.max() ?? 0
  }
}
