/// Metrics of predicted classes.
public struct ClassificationMetrics: Hashable, Codable, Sendable {
  /// The number of cases of class `c` predicted as `d`, at `c · classes + d`.
  public let confusion: [Int]
  /// Number of classes.
  public let classes: Int

  /// Counts predictions.
  ///
  /// - Parameters:
  ///   - predicted: The predicted class of each case, from 0.
  ///   - actual: The true classes, in the same order.
  ///   - classes: Number of classes.
  /// - Precondition: Both have the same length, and all classes are below `classes`.
  public init(predicted: [Int], actual: [Int], classes: Int) {
    precondition(predicted.count == actual.count, "\(predicted.count) of \(actual.count) cases")
    var confusion = [Int](repeating: 0, count: classes * classes)
    for (guess, truth) in zip(predicted, actual) { confusion[truth * classes + guess] += 1 }
    (self.confusion, self.classes) = (confusion, classes)
  }

  /// Number of cases.
  public var count: Int { confusion.reduce(0, +) }

  /// The fraction of correctly predicted cases; 0 without cases.
  public var accuracy: Double {
    let right = (0..<classes).reduce(0) { $0 + confusion[$1 * classes + $1] }
    return Double(right) / Double(max(1, count))
  }

  /// The harmonic mean of precision and recall of each class; 0 for a class that is neither
  /// predicted nor present.
  public var f1: [Double] {
    (0..<classes).map { index in
      let right = confusion[index * classes + index]
      let actual = (0..<classes).reduce(0) { $0 + confusion[index * classes + $1] }
      let predicted = (0..<classes).reduce(0) { $0 + confusion[$1 * classes + index] }
      return actual + predicted > 0 ? 2 * Double(right) / Double(actual + predicted) : 0
    }
  }

  /// The mean of ``f1`` over all classes.
  public var macroF1: Double { f1.reduce(0, +) / Double(max(1, classes)) }
}

/// Metrics of predicted numbers.
public struct RegressionMetrics: Hashable, Codable, Sendable {
  /// Mean squared error.
  public let meanSquaredError: Double
  /// Pearson's correlation, −1 to 1; 0 if either side is constant.
  public let pearson: Double
  /// Spearman's rank correlation, with mean ranks for ties; 0 if either side is constant.
  public let spearman: Double

  /// Compares predictions with true values.
  ///
  /// - Precondition: Both have the same length.
  /// - Complexity: O(n log n).
  public init(predicted: [Double], actual: [Double]) {
    precondition(predicted.count == actual.count, "\(predicted.count) of \(actual.count) cases")
    let squares = zip(predicted, actual).reduce(0.0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    meanSquaredError = squares / Double(max(1, predicted.count))
    pearson = Self.correlation(predicted, actual)
    spearman = Self.correlation(Self.ranks(predicted), Self.ranks(actual))
  }

  static func correlation(_ x: [Double], _ y: [Double]) -> Double {
    let count = Double(max(1, x.count))
    let (meanX, meanY) = (x.reduce(0, +) / count, y.reduce(0, +) / count)
    var (xy, xx, yy) = (0.0, 0.0, 0.0)
    for (a, b) in zip(x, y) {
      xy += (a - meanX) * (b - meanY)
      xx += (a - meanX) * (a - meanX)
      yy += (b - meanY) * (b - meanY)
    }
    let scale = (xx * yy).squareRoot()
    let result = xy / scale
    return scale > 0 && result.isFinite ? min(1, max(-1, result)) : 0
  }

  static func ranks(_ values: [Double]) -> [Double] {
    let order = values.indices.sorted { values[$0] < values[$1] }
    var ranks = [Double](repeating: 0, count: values.count)
    var first = 0
    while first < order.count {
      var last = first
      while last + 1 < order.count, values[order[last + 1]] == values[order[first]] { last += 1 }
      for place in first...last { ranks[order[place]] = Double(first + last) / 2 }
      first = last + 1
    }
    return ranks
  }
}
