import Foundation

/// Upper bounds on what one pair of layers keeps, with its counts split between two relaxations.
///
/// Let `Z[i, p]` be 1 where experts `i` and `p` share one of `R` parts of `S` places, so that the
/// pair keeps `⟨A, Z⟩`. For every `B`, prices `u`, `v` and numbers `d` for both layers' experts,
///
///     ⟨A − B, Z⟩ ≤ S · (Σ u + Σ v) + Σ max(0, A − B − u − v)
///     ⟨B, Z⟩ ≤ Σ B / R + S · (sum of the R − 1 largest eigenvalues of P (W + D) P) − ½ (1 − 1/R) Σ d
///
/// because rows and columns of `Z` sum to `S` and its entries are between 0 and 1, and because the
/// parts, less their mean, span `R − 1` dimensions with `2 S` in each. `W` has `B` and its
/// transpose as off-diagonal blocks, `D` is the diagonal matrix of `d`, and `P` subtracts the mean
/// of each layer. The sum of both is convex in all variables; subgradient steps lead to its
/// minimum.
///
/// - SeeAlso: Donath and Hoffman 1973, *Lower Bounds for the Partitioning of Graphs*,
///   [doi:10.1147/rd.175.0420](https://doi.org/10.1147/rd.175.0420), for `d`; Guignard and Kim
///   1987, *Lagrangean Decomposition*,
///   [doi:10.1007/BF02592954](https://doi.org/10.1007/BF02592954), for `B`.
struct PairDecomposition {
  private let counts: [Double]
  private let size: Int
  private let parts: Double
  private let slots: Double
  private let scale: Double
  private var point: Point
  private var space: LeadingSpace

  /// The free variables.
  private struct Point {
    /// `B`, `[size · size]`.
    var share: [Double]
    /// `d`, of the first layer's experts and then of the second's.
    var shift: [Double]
    var u: [Double]
    var v: [Double]
  }

  /// The most steps, and the most operations of all pairs together: a second or two.
  private static let (mostSteps, work) = (300, 4e9)

  /// Prepares the bound; `nil` for parts of few experts, for which the matching bound is enough.
  ///
  /// - Parameters:
  ///   - counts: `[size · size]`, at least 0, not all 0.
  ///   - size: The number of experts in a layer.
  ///   - parts: At least 2, a divisor of `size`.
  ///   - start: The prices of a matching of the same counts.
  init?(_ counts: [Double], size: Int, parts: Int, start: MatchingDual) {
    guard 3 * (parts - 1) <= size else { return nil }
    let total = counts.reduce(0, +)
    (self.size, self.parts) = (size, Double(parts))
    slots = Double(size / parts)
    scale = total
    let shares = counts.map { $0 / total }
    self.counts = shares
    // Start halfway between the relaxations: steps hardly leave the corner at either end.
    point = Point(
      share: shares.map { $0 / 2 }, shift: Array(repeating: 0, count: 2 * size),
      u: start.u.map { $0 / total / 2 }, v: start.v.map { $0 / total / 2 })
    space = LeadingSpace(size: 2 * size, count: parts - 1)
  }

  /// Returns the least bound found, in counts, when `pairs` pairs share the time.
  ///
  /// Adam's steps converge far faster than plain ones here, because subgradients of `B` and of
  /// prices differ by orders of magnitude.
  ///
  /// - SeeAlso: Kingma and Ba 2015, *Adam*, [arXiv:1412.6980](https://arxiv.org/abs/1412.6980).
  mutating func minimise(pairs: Int) -> Double {
    let steps = min(Self.mostSteps, Int(Self.work / (space.workPerStep * Double(max(1, pairs)))))
    guard steps >= 40 else { return .infinity }
    // Eigenvalues that are still too small would look like a bound that cannot be improved.
    for _ in 0..<10 { _ = evaluate() }
    var (best, bestPoint) = (Double.infinity, point)
    var (shares, shifts) = (AdamSteps(point.share.count), AdamSteps(point.shift.count))
    var (rows, columns) = (AdamSteps(size), AdamSteps(size))
    for step in 1...steps {
      let (value, slope) = evaluate()
      if value < best { (best, bestPoint) = (value, point) }
      let length = (1 - Double(step) / Double(steps)) / Double(size * size)
      shares.move(&point.share, against: slope.share, by: length)
      shifts.move(&point.shift, against: slope.shift, by: length)
      rows.move(&point.u, against: slope.u, by: length)
      columns.move(&point.v, against: slope.v, by: length)
    }
    point = bestPoint
    return scale * proved()
  }

  /// The approximate value at the point, and a subgradient.
  private mutating func evaluate() -> (value: Double, slope: Point) {
    let pair = CentredPair(share: point.share, shift: point.shift, size: size)
    let values = space.follow(pair)
    var slope = Point(
      share: Array(repeating: 1 / parts, count: size * size),
      shift: Array(repeating: -0.5 * (1 - 1 / parts), count: 2 * size),
      u: Array(repeating: slots, count: size), v: Array(repeating: slots, count: size))
    for vector in space.leading {
      for i in 0..<size {
        Runs.add(
          vector, at: size, times: 2 * slots * vector[i], to: &slope.share, at: i * size,
          count: size)
      }
      for i in 0..<2 * size { slope.shift[i] += slots * vector[i] * vector[i] }
    }
    let matched = matching { i, p in
      slope.share[i * size + p] -= 1
      slope.u[i] -= 1
      slope.v[p] -= 1
    }
    return (matched + spectral(values), slope)
  }

  private func matching(_ taken: (Int, Int) -> Void) -> Double {
    var sum = slots * (point.u.reduce(0, +) + point.v.reduce(0, +))
    for i in 0..<size {
      for p in 0..<size {
        let rest = counts[i * size + p] - point.share[i * size + p] - point.u[i] - point.v[p]
        guard rest > 0 else { continue }
        sum += rest
        taken(i, p)
      }
    }
    return sum
  }

  private func spectral(_ eigenvalues: [Double]) -> Double {
    point.share.reduce(0, +) / parts + slots * eigenvalues.reduce(0, +)
      - 0.5 * (1 - 1 / parts) * point.shift.reduce(0, +)
  }

  /// The value at the point with all eigenvalues exact up to rounding, plus a margin for rounding.
  private func proved() -> Double {
    let matrix = CentredPair(share: point.share, shift: point.shift, size: size).matrix
    let largest = matrix.reduce(0) { max($0, $1.magnitude) }
    let values = SymmetricEigenvalues.largest(Int(parts) - 1, of: matrix, size: 2 * size)
    let margin = 1e-12 * Double(2 * size) * (1 + largest)
    return matching { _, _ in } + spectral(values.map { $0 + margin }) + margin
  }
}

/// Adam's moving averages of some variables' slopes.
private struct AdamSteps {
  private var means: [Double]
  private var squares: [Double]
  private var step = 0.0

  init(_ count: Int) {
    means = Array(repeating: 0, count: count)
    squares = Array(repeating: 0, count: count)
  }

  /// Moves each variable by about `length`.
  mutating func move(_ values: inout [Double], against slope: [Double], by length: Double) {
    let (keptMean, keptSquare) = (0.9, 0.99)
    step += 1
    let meanFactor = length / (1 - pow(keptMean, step))
    let squareFactor = 1 / (1 - pow(keptSquare, step))
    for index in values.indices {
      means[index] = keptMean * means[index] + (1 - keptMean) * slope[index]
      squares[index] = keptSquare * squares[index] + (1 - keptSquare) * slope[index] * slope[index]
      values[index] -=
        meanFactor * means[index] / ((squareFactor * squares[index]).squareRoot() + 1e-12)
    }
  }
}
