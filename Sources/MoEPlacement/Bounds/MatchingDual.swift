/// Upper bounds on a b-matching: the largest sum of cells of a square table with at most `limit`
/// cells from each row and each column.
///
///     minimise  limit · (Σ_i u_i + Σ_p v_p) + Σ_ip max(0, counts[i, p] − u_i − v_p)   over u, v ≥ 0
///
/// Every `u, v ≥ 0` gives a bound; the least bound equals the largest matching. The search combines
/// alternating exact minimisation over `u` and `v`, which may stall, with subgradient steps, which
/// do not.
struct MatchingDual {
  private let counts: [Double]
  private let size: Int
  private let limit: Double
  /// The cells above 0, row by row: no other cell can exceed its prices.
  private let columns: [Int32]
  private let values: [Double]
  private let rowStarts: [Int]
  /// The dual price of each row.
  private(set) var u: [Double]
  /// The dual price of each column.
  private(set) var v: [Double]

  init(_ counts: [Double], size: Int, limit: Double) {
    (self.counts, self.size, self.limit) = (counts, size, limit)
    (u, v) = (Array(repeating: 0, count: size), Array(repeating: 0, count: size))
    var (columns, values, starts): ([Int32], [Double], [Int]) = ([], [], [0])
    for i in 0..<size {
      for p in 0..<size where counts[i * size + p] > 0 {
        columns.append(Int32(p))
        values.append(counts[i * size + p])
      }
      starts.append(values.count)
    }
    (self.columns, self.values, rowStarts) = (columns, values, starts)
  }

  /// Returns the least bound found and leaves its prices in ``u`` and ``v``.
  ///
  /// - Complexity: O(size²) per step; for large tables a few seconds in total.
  mutating func minimise() -> Double {
    var best = value()
    for round in 0..<6 {
      setRows(upper: round.isMultiple(of: 2))
      setColumns(upper: !round.isMultiple(of: 2))
      best = min(best, value())
    }
    let steps = size <= 96 ? 400 : 150
    var (bestU, bestV) = (u, v)
    var scale = 0.02
    var failures = 0
    for _ in 0..<steps {
      let (current, rows, columns) = subgradient()
      if current < best {
        (best, bestU, bestV, failures) = (current, u, v, 0)
      } else {
        failures += 1
        if failures == 8 { (u, v, scale, failures) = (bestU, bestV, scale / 2, 0) }
      }
      let norm = rows.reduce(0) { $0 + $1 * $1 } + columns.reduce(0) { $0 + $1 * $1 }
      guard norm > 0 else { break }
      let step = scale * best / norm
      for i in 0..<size {
        u[i] = max(0, u[i] - step * rows[i])
        v[i] = max(0, v[i] - step * columns[i])
      }
    }
    (u, v) = (bestU, bestV)
    return best * (1 + 1e-12)
  }

  private func value() -> Double { subgradient().value }

  private func subgradient() -> (value: Double, rows: [Double], columns: [Double]) {
    var rows = [Double](repeating: limit, count: size)
    var sums = [Double](repeating: limit, count: size)
    var sum = limit * (u.reduce(0, +) + v.reduce(0, +))
    for i in 0..<size {
      let price = u[i]
      for cell in rowStarts[i]..<rowStarts[i + 1] {
        let p = Int(columns[cell])
        let rest = values[cell] - price - v[p]
        if rest > 0 {
          sum += rest
          rows[i] -= 1
          sums[p] -= 1
        }
      }
    }
    return (sum, rows, sums)
  }

  private mutating func setRows(upper: Bool) {
    for i in 0..<size { u[i] = middle((0..<size).map { counts[i * size + $0] - v[$0] }, upper) }
  }

  private mutating func setColumns(upper: Bool) {
    for p in 0..<size { v[p] = middle((0..<size).map { counts[$0 * size + p] - u[$0] }, upper) }
  }

  /// Any number between the `limit`-th largest and the next one is optimal.
  private func middle(_ values: [Double], _ upper: Bool) -> Double {
    let sorted = values.sorted(by: >)
    let place = Int(limit)
    let (high, low) = (sorted[place - 1], place < size ? sorted[place] : 0)
    return max(0, upper ? (high + low) / 2 : (high + 3 * low) / 4)
  }
}
