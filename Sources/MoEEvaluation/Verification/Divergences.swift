import MoECore
import MoETensor

extension VerificationReport.Divergence {
  /// Sums up divergences of single positions.
  init(_ values: [Double]) {
    let sorted = values.sorted()
    // As many positions as a percentile needs to differ from the largest.
    func percentile(_ fraction: Double, of least: Int) -> Double? {
      guard sorted.count >= least else { return nil }
      return sorted[Int((fraction * Double(sorted.count)).rounded(.up)) - 1]
    }
    let mean = values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
    self.init(
      positions: values.count, mean: mean, percentile99: percentile(0.99, of: 100),
      percentile999: percentile(0.999, of: 1_000), largest: sorted.last ?? 0)
  }
}

/// Functions of the scores of two models at the same positions.
enum Divergences {
  /// Σ p · (log p − log q) at each position, in f64.
  ///
  /// - Parameters:
  ///   - expected: Scores whose distribution is p, `[positions, vocabulary]`.
  ///   - found: Scores whose distribution is q.
  /// - Returns: One number per position; rounding may leave one just below 0, which counts as 0.
  static func between(_ expected: Tensor, _ found: Tensor) -> [Double] {
    let p = expected.cast(to: .f64).logSoftmax(axis: 1)
    let q = found.cast(to: .f64).logSoftmax(axis: 1)
    return (p.exp() * (p - q)).sum(axis: 1).array(of: Double.self).map { $0 < 0 ? 0 : $0 }
  }

  /// The number of positions with equal most likely tokens.
  static func agreement(_ first: Tensor, _ second: Tensor) -> Int {
    zip(first.argmax(axis: 1).array(of: Int.self), second.argmax(axis: 1).array(of: Int.self))
      .count { $0 == $1 }
  }

  /// The sum of -log p of the tokens that follow, over all positions but the last.
  static func loss(_ logits: Tensor, _ tokens: [Int]) -> Double {
    let last = tokens.count - 1
    let scores = logits[0..<last].cast(to: .f64).logSoftmax(axis: 1)
    let next = Tensor(tokens.dropFirst().map(Int64.init), shape: [last, 1])
    return -scores.gather(next, axis: 1).array(of: Double.self).reduce(0, +)
  }
}
