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

  /// The fraction of correctly predicted cases; `nil` without cases.
  public var accuracy: Double? {
    Self.ratio((0..<classes).reduce(0) { $0 + confusion[$1 * classes + $1] }, count)
  }

  /// Number of cases of each class.
  public var actual: [Int] {
    (0..<classes).map { confusion[$0 * classes..<($0 + 1) * classes].reduce(0, +) }
  }

  /// How often each class is predicted.
  public var predicted: [Int] {
    (0..<classes).map { index in
      (0..<classes).reduce(0) { $0 + confusion[$1 * classes + index] }
    }
  }

  /// Of the predictions of each class, the fraction that is correct; `nil` for a class that is
  /// never predicted.
  public var precision: [Double?] { zip(correct, predicted).map(Self.ratio) }

  /// Of the cases of each class, the fraction that is predicted; `nil` for a class without cases.
  public var recall: [Double?] { zip(correct, actual).map(Self.ratio) }

  /// The harmonic mean of precision and recall of each class, 0 if no prediction of it is correct;
  /// `nil` for a class that is neither predicted nor present.
  public var f1: [Double?] {
    zip(correct, zip(actual, predicted)).map { Self.ratio(2 * $0, $1.0 + $1.1) }
  }

  /// The mean of ``f1`` over the classes that are predicted or present; `nil` without cases.
  public var macroF1: Double? {
    let defined = f1.compactMap(\.self)
    return defined.isEmpty ? nil : defined.reduce(0, +) / Double(defined.count)
  }

  private var correct: [Int] { (0..<classes).map { confusion[$0 * classes + $0] } }

  /// A fraction; `nil` of nothing.
  static func ratio(_ part: Int, _ whole: Int) -> Double? {
    whole > 0 ? Double(part) / Double(whole) : nil
  }
}

/// Metrics of predicted numbers.
public struct RegressionMetrics: Hashable, Codable, Sendable {
  /// Mean squared error; `nil` without cases.
  public let meanSquaredError: Double?
  /// Pearson's correlation, −1 to 1; `nil` if it is undefined, because either side is constant or
  /// holds a value that is not finite.
  public let pearson: Double?
  /// Spearman's rank correlation, with mean ranks for ties; `nil` as for ``pearson``.
  public let spearman: Double?

  /// Compares predictions with true values.
  ///
  /// - Precondition: Both have the same length.
  /// - Complexity: O(n log n).
  public init(predicted: [Double], actual: [Double]) {
    precondition(predicted.count == actual.count, "\(predicted.count) of \(actual.count) cases")
    let squares = zip(predicted, actual).reduce(0.0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    meanSquaredError = predicted.isEmpty ? nil : squares / Double(predicted.count)
    pearson = Self.correlation(predicted, actual)
    let isFinite = (predicted + actual).allSatisfy(\.isFinite)
    spearman = isFinite ? Self.correlation(Self.ranks(predicted), Self.ranks(actual)) : nil
  }

  static func correlation(_ x: [Double], _ y: [Double]) -> Double? {
    // Compared directly, because a rounded mean gives a constant list a variance above 0.
    guard x.contains(where: { $0 != x[0] }), y.contains(where: { $0 != y[0] }) else { return nil }
    let count = Double(x.count)
    let (meanX, meanY) = (x.reduce(0, +) / count, y.reduce(0, +) / count)
    var (xy, xx, yy) = (0.0, 0.0, 0.0)
    for (a, b) in zip(x, y) {
      xy += (a - meanX) * (b - meanY)
      xx += (a - meanX) * (a - meanX)
      yy += (b - meanY) * (b - meanY)
    }
    let result = xy / (xx * yy).squareRoot()
    return result.isFinite ? min(1, max(-1, result)) : nil
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
