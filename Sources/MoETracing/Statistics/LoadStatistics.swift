import Foundation
public import MoECore

/// How evenly a layer uses its experts.
///
/// With counts `n_i` of `E` experts, their mean `μ` and fractions `p_i = n_i / Σ n`:
///
///     imbalance  max n_i / μ                                  (the time of the slowest device over the ideal)
///     CV         √(Σ (n_i − μ)² / E) / μ
///     Gini       Σ_i Σ_j |n_i − n_j| / (2 E² μ)               (Gini 1912; 0 equal, 1 − 1/E one expert alone)
///     entropy    − Σ p_i log₂ p_i / log₂ E                    (Shannon 1948; 1 equal, 0 one expert alone)
public struct LoadStatistics: Hashable, Codable, Sendable {
  /// The load of the busiest expert over the mean.
  public var imbalance: Double
  /// The standard deviation over the mean.
  public var coefficientOfVariation: Double
  /// The Gini coefficient.
  public var gini: Double
  /// The entropy of the loads over that of equal loads.
  public var entropy: Double
  /// Experts that no token chose.
  public var deadExperts: [Int]
  /// The busiest expert.
  public var busiest: Int

  /// Measures a layer; without tokens, the load counts as perfectly even.
  public init(_ load: ExpertLoad) {
    imbalance = load.imbalance
    coefficientOfVariation = load.coefficientOfVariation
    gini = Self.gini(load.tokens)
    let bits = Information.entropy(load.tokens)
    let limit = log2(Double(max(2, load.tokens.count)))
    entropy = load.total == 0 || load.tokens.count < 2 ? 1 : bits / limit
    deadExperts = load.deadExperts
    busiest = load.tokens.indices.max { load.tokens[$0] < load.tokens[$1] } ?? 0
  }

  /// Computed by sorting: with `n` ascending and ranks from 1,
  /// `2 Σ rank · n / (E Σ n) − (E + 1) / E`.
  private static func gini(_ counts: [Int]) -> Double {
    let total = counts.reduce(0, +)
    guard total > 0 else { return 0 }
    let size = Double(counts.count)
    let sum = counts.sorted().enumerated().reduce(0.0) {
      $0 + Double($1.offset + 1) * Double($1.element)
    }
    return 2 * sum / (size * Double(total)) - (size + 1) / size
  }
}

/// Entropies and divergences of counts, in bits.
public enum Information {
  /// `− Σ p log₂ p` of the normalized counts; 0 without counts.
  public static func entropy(_ counts: some Sequence<Int>) -> Double {
    var (total, sum) = (0.0, 0.0)
    for count in counts where count > 0 {
      total += Double(count)
      sum += Double(count) * log2(Double(count))
    }
    return total > 0 ? max(0, log2(total) - sum / total) : 0
  }

  /// Mutual information of a row-major table of counts: `Σ p(i, j) log₂ (p(i, j) / (p(i) p(j)))`.
  ///
  /// - Parameters:
  ///   - table: The counts.
  ///   - columns: The number of columns.
  /// - Returns: Bits, at least 0.
  /// - SeeAlso: Cover and Thomas 2006, *Elements of Information Theory*, 2.3, as
  ///   `H(X) + H(Y) − H(X, Y)`.
  public static func mutual(_ table: [Int], columns: Int) -> Double {
    let margins = Margins(table, columns: columns)
    return max(0, entropy(margins.rows) + entropy(margins.columns) - entropy(table))
  }

  /// The Jensen–Shannon divergence of two normalized lists of counts: 0 if equal, 1 if disjoint.
  ///
  ///     H((p + q) / 2) − (H(p) + H(q)) / 2
  ///
  /// - SeeAlso: Lin 1991, *Divergence measures based on the Shannon entropy*.
  /// - Precondition: Both have the same length.
  public static func divergence(_ left: [Int], _ right: [Int]) -> Double {
    precondition(left.count == right.count, "\(left.count) and \(right.count) counts")
    let (a, b) = (Double(max(1, left.reduce(0, +))), Double(max(1, right.reduce(0, +))))
    func term(_ p: Double) -> Double { p > 0 ? -p * log2(p) : 0 }
    return zip(left, right).reduce(0) { sum, pair in
      let (p, q) = (Double(pair.0) / a, Double(pair.1) / b)
      return sum + term((p + q) / 2) - (term(p) + term(q)) / 2
    }
  }

  struct Margins {
    var rows: [Int]
    var columns: [Int]
    init(_ table: [Int], columns width: Int) {
      rows = [Int](repeating: 0, count: table.count / max(1, width))
      columns = [Int](repeating: 0, count: width)
      for (place, count) in table.enumerated() where count > 0 {
        rows[place / width] += count
        columns[place % width] += count
      }
    }
  }
}
