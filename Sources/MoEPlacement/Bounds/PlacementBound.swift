import Dispatch
import Synchronization

/// Upper bounds on the objective of any plan.
///
/// Each pair of neighbouring layers is bounded separately, in four ways, and the smallest bound is
/// used:
///
/// - *greedy*: an expert meets at most `S` experts of the next layer, `S` being the slots of a
///   rank, so the `S` largest counts of each row, and of each column, bound the pair;
/// - *matching*: both limits at once, a b-matching, bounded by the dual of its linear program;
/// - *spectral*: the parts of a layer are orthogonal vectors of length √S, so the largest singular
///   values of the pair's doubly centred counts bound what is kept beyond an even distribution
///   (without replicas only);
/// - *decomposition*: the counts, split optimally between the last two (`PairDecomposition`), if
///   the size leaves time for it.
///
/// - SeeAlso: Donath and Hoffman 1973, *Lower Bounds for the Partitioning of Graphs*,
///   [doi:10.1147/rd.175.0420](https://doi.org/10.1147/rd.175.0420), for the spectral idea.
public struct PlacementBound: Hashable, Codable, Sendable {
  /// Sum over pairs of the greedy bound, in kept transitions.
  public let greedy: Double
  /// Sum over pairs of the matching bound.
  public let matching: Double
  /// Sum over pairs of the spectral bound; `nil` with replicas.
  public let spectral: Double?
  /// Sum over pairs of the decomposition bound, or of the smallest other bound if it was not
  /// computed; `nil` with replicas.
  public let decomposition: Double?
  /// Sum over pairs of the smallest of the four.
  public let pairwise: Double
  /// Upper bound on the objective: ``pairwise`` minus the least cost of imbalance.
  public let objective: Double

  /// Computes the bounds of a problem.
  ///
  /// - Complexity: O(layers × experts³), plus at most a few seconds for the decomposition.
  public init(_ problem: PlacementProblem) {
    let value = problem.topology.valueOfNode
    // Pairs are bounded on several threads, but added in order, so that the last bits do not depend on the threads.
    let bounds = Mutex([PairBound](repeating: PairBound(), count: problem.transitions.count))
    DispatchQueue.concurrentPerform(iterations: problem.transitions.count) { pair in
      let bound = Self.bound(problem, pair: pair, valueOfNode: value)
      bounds.withLock { $0[pair] = bound }
    }
    var sums = PairBound()
    for bound in bounds.withLock({ $0 }) { sums.add(bound, times: 1) }
    (greedy, matching, pairwise) = (sums.greedy, sums.matching, sums.decomposition)
    spectral = problem.replicas > 0 ? nil : sums.spectral
    decomposition = problem.replicas > 0 ? nil : sums.decomposition
    let imbalance = (0..<problem.layers).reduce(0) { $0 + problem.lowestBalance(layer: $1) - 1 }
    objective =
      sums.decomposition - problem.imbalanceWeight * problem.imbalanceScale * imbalance
      / Double(problem.layers)
  }

  private static func bound(
    _ problem: PlacementProblem, pair: Int, valueOfNode value: Double
  ) -> PairBound {
    let counts = problem.transitions[pair]
    let pairs = problem.transitions.count * (value > 0 ? 2 : 1)
    let ofRanks = PairBound(
      counts, experts: problem.experts, parts: problem.topology.ranks,
      slots: problem.slotsPerRank, hasReplicas: problem.replicas > 0, pairs: pairs)
    guard value > 0 else { return ofRanks }
    var sum = PairBound()
    sum.add(ofRanks, times: 1 - value)
    sum.add(
      PairBound(
        counts, experts: problem.experts, parts: problem.topology.nodes,
        slots: min(problem.experts, problem.slotsPerRank * problem.topology.ranksPerNode),
        hasReplicas: problem.replicas > 0, pairs: pairs), times: value)
    return sum
  }
}

/// The bounds of one pair of layers.
struct PairBound {
  private(set) var (greedy, matching, spectral) = (0.0, 0.0, 0.0)
  /// The smallest of all computed bounds.
  private(set) var decomposition = 0.0

  init() {}

  /// Computes the bounds of one of `pairs` pairs, which share the time for decompositions.
  init(
    _ counts: [Double], experts: Int, parts: Int, slots: Int, hasReplicas: Bool, pairs: Int
  ) {
    let total = counts.reduce(0, +)
    guard parts > 1, slots < experts, total > 0 else {
      (greedy, matching, spectral) = (total, total, total)
      decomposition = total
      return
    }
    greedy = Self.greedy(counts, experts, slots)
    var dual = MatchingDual(counts, size: experts, limit: Double(slots))
    matching = min(greedy, dual.minimise())
    spectral = hasReplicas ? total : min(total, Self.spectral(counts, experts, parts))
    decomposition = min(matching, spectral)
    if !hasReplicas,
      var pair = PairDecomposition(counts, size: experts, parts: parts, start: dual)
    {
      decomposition = min(decomposition, pair.minimise(pairs: pairs))
    }
  }

  mutating func add(_ other: PairBound, times factor: Double) {
    greedy += factor * other.greedy
    matching += factor * other.matching
    spectral += factor * other.spectral
    decomposition += factor * other.decomposition
  }

  private static func greedy(_ counts: [Double], _ size: Int, _ slots: Int) -> Double {
    var (rows, columns) = (0.0, 0.0)
    for i in 0..<size {
      let row = (0..<size).map { counts[i * size + $0] }.sorted(by: >)
      let column = (0..<size).map { counts[$0 * size + i] }.sorted(by: >)
      rows += row.prefix(slots).reduce(0, +)
      columns += column.prefix(slots).reduce(0, +)
    }
    return min(rows, columns)
  }

  /// `total / parts + S · (sum of the parts − 1 largest singular values of the centred counts)`.
  private static func spectral(_ counts: [Double], _ size: Int, _ parts: Int) -> Double {
    let total = counts.reduce(0, +)
    var (rows, columns) = (
      [Double](repeating: 0, count: size), [Double](repeating: 0, count: size)
    )
    for i in 0..<size {
      for p in 0..<size {
        rows[i] += counts[i * size + p]
        columns[p] += counts[i * size + p]
      }
    }
    let n = Double(size)
    var centred = counts
    for i in 0..<size {
      for p in 0..<size { centred[i * size + p] += total / n / n - rows[i] / n - columns[p] / n }
    }
    let values = SymmetricEigenvalues.ofGram(centred, size: size, largest: parts - 1)
    let largest = max(0, values.first ?? 0)
    // Rounding may make an eigenvalue too small, but by no more than this.
    let sum = values.reduce(0) { $0 + (max(0, $1) + 1e-13 * largest).squareRoot() }
    return total / Double(parts) + n / Double(parts) * sum
  }
}
