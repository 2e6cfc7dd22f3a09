import MoECore

/// How far routing has moved between two traces of the same model, or of two steps of its training.
///
/// Loads are compared by their Jensen–Shannon divergence, transitions by the mean total variation between rows of
/// affinity, `½ Σ_p |A(i, p) − A′(i, p)|`, each row weighted by its share of tokens in both.
public struct Drift: Hashable, Codable, Sendable {
  /// Divergence of loads per layer, 0 to 1.
  public var loads: [Double]
  /// Distance of affinities per pair of layers, 0 to 1; empty without transitions.
  public var affinities: [Double]

  /// Compares two traces by their counts.
  ///
  /// - Throws: ``TracingError/invalidRequest(_:)`` unless both have the same layers and experts.
  public init(from old: RoutingCounts, to new: RoutingCounts) throws(TracingError) {
    guard old.layers == new.layers, old.expertCount == new.expertCount else {
      throw .invalidRequest(
        "the traces have layers \(old.layers) of \(old.expertCount) experts and \(new.layers) of \(new.expertCount); compare traces of one model"
      )
    }
    loads = zip(old.loads, new.loads).map { Information.divergence($0, $1) }
    let size = old.expertCount
    affinities = zip(old.firstTransitions ?? [], new.firstTransitions ?? []).map { left, right in
      Self.distance(left, right, size)
    }
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

/// Affinity at one step of a training, as in ExFlow's figures 11 and 12.
public struct AffinityStep: Hashable, Codable, Sendable {
  /// The step.
  public var step: Int
  /// Mean over pairs of layers of ``TransitionStatistics/topSuccessorShare``.
  public var topSuccessorShare: Double
  /// Mean over pairs of layers of ``TransitionStatistics/excessShare``.
  public var excessShare: Double
  /// Mean over layers of the imbalance.
  public var imbalance: Double

  /// Measures the counts of a step's snapshot.
  public init(step: Int, _ counts: RoutingCounts) {
    self.step = step
    let pairs = (counts.firstTransitions ?? []).map {
      TransitionStatistics($0, experts: counts.expertCount)
    }
    func mean(_ values: [Double]) -> Double { values.reduce(0, +) / Double(max(1, values.count)) }
    topSuccessorShare = mean(pairs.map(\.topSuccessorShare))
    excessShare = mean(pairs.map(\.excessShare))
    imbalance = mean(counts.layerLoads.map(\.imbalance))
  }
}
