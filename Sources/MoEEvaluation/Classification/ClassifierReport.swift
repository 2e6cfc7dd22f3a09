/// The evaluation of a classification or regression model on labelled texts: quality, speed, and
/// which expert answers what.
public struct ClassifierReport: Codable, Hashable, Sendable {
  /// A named number.
  public struct Measure: Codable, Hashable, Sendable {
    /// The name, in lower case with underscores.
    public var name: String
    /// The number; `nil`, in JSON null, if it is undefined, as is the correlation of equal scores.
    public var value: Double?

    /// Names a number; NaN is undefined.
    public init(_ name: String, _ value: Double) {
      (self.name, self.value) = (name, value.isNaN ? nil : value)
    }

    /// Writes an undefined number as null, instead of leaving it out.
    public func encode(to encoder: any Encoder) throws {
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encode(name, forKey: .name)
      try values.encode(value, forKey: .value)
    }
  }

  /// One expert of the model.
  public struct Expert: Codable, Hashable, Sendable {
    /// Its index, from 0.
    public var number: Int
    /// Its kind.
    public var kind: String
    /// The fraction of all texts that it answers.
    public var usage: Double
    /// The mean gate probability.
    public var share: Double
    /// The fraction of its texts that are classified correctly; `nil` for scores, and without texts.
    public var accuracy: Double?
    /// A histogram of its texts by gate probability, in ten equal bins from 0 to 1.
    public var certainty: [Int]
    /// The texts that the gate assigned to it with the highest probability.
    public var examples: [Example]

    /// Describes an expert.
    public init(
      number: Int, kind: String, usage: Double, share: Double, accuracy: Double?,
      certainty: [Int], examples: [Example]
    ) {
      (self.number, self.kind, self.usage, self.share) = (number, kind, usage, share)
      (self.accuracy, self.certainty, self.examples) = (accuracy, certainty, examples)
    }

    /// Writes an undefined accuracy as null, instead of leaving it out.
    public func encode(to encoder: any Encoder) throws {
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encode(number, forKey: .number)
      try values.encode(kind, forKey: .kind)
      try values.encode(usage, forKey: .usage)
      try values.encode(share, forKey: .share)
      try values.encode(accuracy, forKey: .accuracy)
      try values.encode(certainty, forKey: .certainty)
      try values.encode(examples, forKey: .examples)
    }
  }

  /// A text and its answer.
  public struct Example: Codable, Hashable, Sendable {
    /// The text.
    public var text: String
    /// The correct answer.
    public var actual: String
    /// The expert's answer.
    public var predicted: String
    /// The gate probability of the expert.
    public var share: Double

    /// Describes an answer.
    public init(text: String, actual: String, predicted: String, share: Double) {
      (self.text, self.actual, self.predicted, self.share) = (text, actual, predicted, share)
    }
  }

  /// A class or kind of texts.
  public struct Group: Codable, Hashable, Sendable {
    /// Its name.
    public var name: String
    /// Number of texts.
    public var texts: Int
    /// The fraction of its texts on each expert; `nil` without texts.
    public var usage: [Double]?

    /// Describes a class or kind.
    public init(name: String, texts: Int, usage: [Double]?) {
      (self.name, self.texts, self.usage) = (name, texts, usage)
    }

    /// Writes an undefined usage as null, instead of leaving it out.
    public func encode(to encoder: any Encoder) throws {
      var values = encoder.container(keyedBy: CodingKeys.self)
      try values.encode(name, forKey: .name)
      try values.encode(texts, forKey: .texts)
      try values.encode(usage, forKey: .usage)
    }
  }

  /// A readable description of the origin of the model or the texts.
  public var source: String
  /// Number of texts.
  public var texts: Int
  /// The number of texts that exceeded the model's length limit.
  public var truncated: Int
  /// Quality, usage and information by name.
  public var values: [Measure]
  /// The mean entropy of the gate probabilities, in nats.
  public var entropy: Double
  /// The entropy of a uniform gate: ln experts.
  public var greatestEntropy: Double
  /// The experts, in order.
  public var experts: [Expert]
  /// The classes, then the kinds.
  public var groups: [Group]
  /// The quality of the predicted classes; `nil` for scores.
  public var classes: ClassQuality?
  /// The median time for a single text, including the encoder.
  public var millisecondsPerText: Double

  /// Collects measurements.
  public init(
    source: String, texts: Int, truncated: Int, values: [Measure], entropy: Double,
    greatestEntropy: Double, experts: [Expert], groups: [Group], classes: ClassQuality? = nil,
    millisecondsPerText: Double
  ) {
    (self.source, self.texts, self.truncated, self.values) = (source, texts, truncated, values)
    (self.entropy, self.greatestEntropy) = (entropy, greatestEntropy)
    (self.experts, self.groups, self.classes) = (experts, groups, classes)
    self.millisecondsPerText = millisecondsPerText
  }
}
