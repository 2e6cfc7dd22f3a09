/// The quality of predicted classes, class by class.
public struct ClassQuality: Codable, Hashable, Sendable {
  /// One class.
  public struct Class: Codable, Hashable, Sendable {
    /// Its name.
    public var name: String
    /// Number of its cases.
    public var actual: Int
    /// How often it is predicted.
    public var predicted: Int
    /// Of its predictions, the fraction that is correct; `nil` if it is never predicted.
    public var precision: Double?
    /// Of its cases, the fraction that is predicted; `nil` without cases.
    public var recall: Double?
    /// Their harmonic mean; `nil` if it is neither predicted nor present.
    public var f1: Double?

    /// Writes undefined numbers as null, instead of leaving them out.
    public func encode(to encoder: any Encoder) throws {
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encode(name, forKey: .name)
      try values.encode(actual, forKey: .actual)
      try values.encode(predicted, forKey: .predicted)
      try values.encode(precision, forKey: .precision)
      try values.encode(recall, forKey: .recall)
      try values.encode(f1, forKey: .f1)
    }
  }

  /// The classes, in order.
  public var classes: [Class]
  /// The number of cases of each class, row by row, that are predicted as each class, column by
  /// column.
  public var confusion: [[Int]]

  /// Describes counted predictions of classes with these names.
  public init(_ metrics: ClassificationMetrics, names: [String]) {
    let (actual, predicted) = (metrics.actual, metrics.predicted)
    let (precision, recall, f1) = (metrics.precision, metrics.recall, metrics.f1)
    classes = names.indices.map {
      Class(
        name: names[$0], actual: actual[$0], predicted: predicted[$0], precision: precision[$0],
        recall: recall[$0], f1: f1[$0])
    }
    confusion = names.indices.map { row in
      Array(metrics.confusion[row * metrics.classes..<(row + 1) * metrics.classes])
    }
  }
}
