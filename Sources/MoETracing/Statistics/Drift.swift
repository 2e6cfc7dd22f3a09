import Foundation
import MoECore

/// How much routing differs between two traces of a model, or of two steps of its training.
///
/// Loads are compared by their Jensen–Shannon divergence, transitions by the mean total variation
/// between rows of affinity, `½ Σ_p |A(i, p) − A′(i, p)|`, each row weighted by its fraction of the
/// tokens in both. With few tokens, traces differ by chance alone, so both values are accompanied
/// by those for the same tokens randomly assigned to the two traces.
public struct Drift: Hashable, Codable, Sendable {
  /// Divergence of loads per layer, 0 to 1.
  public var loads: [Double]
  /// The mean divergence for randomly assigned tokens.
  public var loadsByChance: [Double]
  /// Distance of affinities per pair of layers, 0 to 1; empty without transitions.
  public var affinities: [Double]
  /// The mean distance for randomly assigned tokens.
  public var affinitiesByChance: [Double]

  /// Compares two traces by their counts.
  ///
  /// - Parameters:
  ///   - old: Counts of the first trace.
  ///   - new: Counts of the second trace.
  ///   - deals: The number of random assignments.
  ///   - seed: The seed of the random numbers.
  /// - Throws: ``TracingError/invalidRequest(_:)`` unless both have the same layers and experts.
  public init(
    from old: RoutingCounts, to new: RoutingCounts, deals: Int = 5, seed: UInt64 = 0
  ) throws(TracingError) {
    guard old.layers == new.layers, old.expertCount == new.expertCount else {
      throw .invalidRequest(
        "the traces have layers \(old.layers) of \(old.expertCount) experts and \(new.layers) of \(new.expertCount); compare traces of one model"
      )
    }
    let size = old.expertCount
    var generator = SeededGenerator(seed: seed)
    func compare(
      _ left: [[Int]], _ right: [[Int]], _ measure: ([Int], [Int]) -> Double
    ) -> (found: [Double], byChance: [Double]) {
      let found = zip(left, right).map(measure)
      let chance = zip(left, right).map { left, right in
        (0..<max(1, deals)).reduce(0.0) { sum, _ in
          let (a, b) = Self.dealt(left, right, &generator)
          return sum + measure(a, b)
        } / Double(max(1, deals))
      }
      return (found, chance)
    }
    (loads, loadsByChance) = compare(old.loads, new.loads, Information.divergence)
    (affinities, affinitiesByChance) = compare(
      old.firstTransitions ?? [], new.firstTransitions ?? []
    ) { Self.distance($0, $1, size) }
  }

  /// A random split of both tables' tokens, in proportion to the tables' sizes.
  private static func dealt(
    _ left: [Int], _ right: [Int], _ generator: inout SeededGenerator
  ) -> ([Int], [Int]) {
    let (a, b) = (Double(left.reduce(0, +)), Double(right.reduce(0, +)))
    let share = a + b > 0 ? a / (a + b) : 0.5
    let first = zip(left, right).map { binomial($0 + $1, share, &generator) }
    return (first, zip(zip(left, right), first).map { $0.0 + $0.1 - $1 })
  }

  /// Draws from a binomial distribution, with the normal approximation for many trials.
  private static func binomial(
    _ trials: Int, _ share: Double, _ generator: inout SeededGenerator
  ) -> Int {
    guard trials > 64 else {
      return (0..<trials).count { _ in Double.random(in: 0..<1, using: &generator) < share }
    }
    let radius = (-2 * log(Double.random(in: Double.leastNonzeroMagnitude..<1, using: &generator)))
      .squareRoot()
    let normal = radius * cos(2 * .pi * Double.random(in: 0..<1, using: &generator))
    let (mean, deviation) = (
      Double(trials) * share, (Double(trials) * share * (1 - share)).squareRoot()
    )
    return min(trials, max(0, Int((mean + deviation * normal).rounded())))
  }

  private static func distance(_ left: [Int], _ right: [Int], _ size: Int) -> Double {
    let (a, b) = (
      TransitionStatistics.affinity(left, experts: size),
      TransitionStatistics.affinity(right, experts: size)
    )
    let (leftRows, rightRows) = (
      Information.Margins(left, columns: size).rows, Information.Margins(right, columns: size).rows
    )
    let (leftTotal, rightTotal) = (
      Double(max(1, leftRows.reduce(0, +))), Double(max(1, rightRows.reduce(0, +)))
    )
    return (0..<size).reduce(0) { sum, row in
      let weight = (Double(leftRows[row]) / leftTotal + Double(rightRows[row]) / rightTotal) / 2
      let variation = (row * size..<(row + 1) * size).reduce(0) { $0 + abs(a[$1] - b[$1]) } / 2
      return sum + weight * variation
    }
  }
}

/// Affinity at one step of a training run, as in ExFlow's figures 11 and 12.
public struct AffinityStep: Hashable, Codable, Sendable {
  /// The step.
  public var step: Int
  /// Mean over pairs of layers of ``TransitionStatistics/topSuccessorShare``.
  public var topSuccessorShare: Double
  /// Mean over pairs of layers of ``TransitionStatistics/excessShare``.
  public var excessShare: Double
  /// Mean over pairs of layers of the mutual information, in bits.
  public var mutualInformation: Double
  /// Mean over pairs of layers of the mutual information under the null, in bits.
  public var nullMean: Double
  /// Mean imbalance over layers.
  public var imbalance: Double
  /// Mean entropy of the loads over layers, 1 for even loads.
  public var entropy: Double

  /// Measures the counts of a step's snapshot.
  public init(step: Int, _ counts: RoutingCounts) {
    self.step = step
    let pairs = (counts.firstTransitions ?? []).map {
      TransitionStatistics($0, experts: counts.expertCount)
    }
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(1, values.count)) }
    topSuccessorShare = mean(pairs.map(\.topSuccessorShare))
    excessShare = mean(pairs.map(\.excessShare))
    mutualInformation = mean(pairs.map(\.mutualInformation))
    nullMean = mean(pairs.map(\.nullMean))
    imbalance = mean(counts.layerLoads.map(\.imbalance))
    entropy = mean(counts.layerLoads.map { LoadStatistics($0).entropy })
  }
}
