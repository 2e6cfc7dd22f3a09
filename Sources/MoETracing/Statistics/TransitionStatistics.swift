import Foundation
import MoECore

/// How much the expert of one layer reveals about that of the next.
///
/// Affinity is the conditional probability `A(i, p) = n(i, p) / Σ_p n(i, p)`. Popular experts also
/// concentrate it, so mutual information is compared with its permutation null: the same counts
/// with the tokens of the second layer shuffled, which keeps both layers' loads and destroys every
/// dependence.
///
/// - SeeAlso: Yao et al. 2024, *Exploiting Inter-Layer Expert Affinity*, arXiv:2401.08383,
///   equations 1 and 2.
public struct TransitionStatistics: Hashable, Codable, Sendable {
  /// The fraction of tokens that move to the most frequent successor of their expert:
  /// `Σ_i max_p n(i, p) / Σ n`.
  public var topSuccessorShare: Double
  /// The same for independent layers: the fraction of tokens on the next layer's most popular
  /// expert.
  public var independentShare: Double
  /// Mutual information of the two layers' experts, in bits.
  public var mutualInformation: Double
  /// Mean of the mutual information under the null, in bits; what chance alone shows.
  public var nullMean: Double
  /// Its standard deviation under the null.
  public var nullDeviation: Double

  /// With more tokens, the null is not sampled but taken from its asymptotic distribution.
  public static let permutationLimit = 100_000

  /// The mutual information beyond chance over the entropy of the next layer: 0 none, 1 full
  /// dependence.
  public var excessShare: Double
  /// The distance of the mutual information from its null, in standard deviations.
  public var score: Double {
    nullDeviation > 0 ? (mutualInformation - nullMean) / nullDeviation : 0
  }

  /// Measures a table of transitions.
  ///
  /// Up to ``permutationLimit`` tokens the null is sampled; beyond, `2 N ln 2 · I` follows a χ²
  /// distribution with `(r − 1)(c − 1)` degrees of freedom for `r` rows and `c` columns in use
  /// (Wilks 1938), which is accurate enough.
  ///
  /// - Parameters:
  ///   - table: Row-major counts, `experts²`.
  ///   - experts: The number of experts per layer.
  ///   - permutations: The number of shuffles.
  ///   - seed: The seed of the shuffles.
  public init(_ table: [Int], experts: Int, permutations: Int = 20, seed: UInt64 = 0) {
    let margins = Information.Margins(table, columns: experts)
    let total = table.reduce(0, +)
    mutualInformation = Information.mutual(table, columns: experts)
    let tops = stride(from: 0, to: table.count, by: max(1, experts)).reduce(0) {
      $0 + (table[$1..<$1 + experts].max() ?? 0)
    }
    topSuccessorShare = total == 0 ? 0 : Double(tops) / Double(total)
    independentShare = total == 0 ? 0 : Double(margins.columns.max() ?? 0) / Double(total)
    if total <= Self.permutationLimit {
      (nullMean, nullDeviation) = Self.drawn(margins, experts, permutations, seed)
    } else {
      let freedom = Double(
        (margins.rows.count { $0 > 0 } - 1) * (margins.columns.count { $0 > 0 } - 1))
      let unit = 2 * Double(total) * log(2)
      (nullMean, nullDeviation) = (freedom / unit, (2 * freedom).squareRoot() / unit)
    }
    let bits = Information.entropy(margins.columns)
    excessShare = bits > 0 ? max(0, mutualInformation - nullMean) / bits : 0
  }

  private static func drawn(
    _ margins: Information.Margins, _ experts: Int, _ permutations: Int, _ seed: UInt64
  ) -> (mean: Double, deviation: Double) {
    var generator = SeededGenerator(seed: seed)
    func labels(_ counts: [Int]) -> [Int32] {
      counts.enumerated().flatMap { repeatElement(Int32($0.offset), count: $0.element) }
    }
    let from = labels(margins.rows)
    var to = labels(margins.columns)
    guard !from.isEmpty, permutations > 1 else { return (0, 0) }
    // Shuffling keeps the margins, and a few tokens use few cells of a large table.
    let marginal = Information.entropy(margins.rows) + Information.entropy(margins.columns)
    var table = [Int](repeating: 0, count: margins.rows.count * experts)
    var cells: [Int] = []
    let values = (0..<permutations).map { _ in
      to.shuffle(using: &generator)
      cells.removeAll(keepingCapacity: true)
      for (i, p) in zip(from, to) {
        let cell = Int(i) * experts + Int(p)
        if table[cell] == 0 { cells.append(cell) }
        table[cell] += 1
      }
      cells.sort()
      let joint = Information.entropy(cells.lazy.map { table[$0] })
      for cell in cells { table[cell] = 0 }
      return max(0, marginal - joint)
    }
    let mean = values.reduce(0, +) / Double(permutations)
    let variance = values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / Double(permutations - 1)
    return (mean, variance.squareRoot())
  }

  /// The conditional probabilities `A(i, p)` of a table; `1 / experts` in rows without tokens.
  ///
  /// - Returns: Row-major, `experts²`; every row adds up to 1.
  public static func affinity(_ table: [Int], experts: Int) -> [Double] {
    affinity(table.map(Double.init), experts: experts)
  }

  /// The conditional probabilities of weighted transitions.
  ///
  /// - Returns: Row-major, `experts²`; every row adds up to 1.
  public static func affinity(_ table: [Double], experts: Int) -> [Double] {
    stride(from: 0, to: table.count, by: experts).flatMap { start in
      let row = table[start..<start + experts]
      let sum = row.reduce(0, +)
      return row.map { sum > 0 ? $0 / sum : 1 / Double(experts) }
    }
  }
}
