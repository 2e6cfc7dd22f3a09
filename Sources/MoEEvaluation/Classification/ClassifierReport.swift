/// What a model for classes or scores does with texts whose answers are known: how well, how fast, and which expert
/// answers what.
public struct ClassifierReport: Codable, Hashable, Sendable {
  /// A number and its name.
  public struct Measure: Codable, Hashable, Sendable {
    /// The name, in lower case with underscores.
    public var name: String
    /// The number.
    public var value: Double

    /// Names a number.
    public init(_ name: String, _ value: Double) { (self.name, self.value) = (name, value) }
  }

  /// One expert of the model.
  public struct Expert: Codable, Hashable, Sendable {
    /// Its place, from 0.
    public var number: Int
    /// Its kind.
    public var kind: String
    /// Share of all texts that it answers.
    public var usage: Double
    /// Mean of the gate's share.
    public var share: Double
    /// Share of its texts with the right class; `nil` for scores.
    public var accuracy: Double?
    /// Its texts by the gate's share of it, in ten equal steps from 0 to 1.
    public var certainty: [Int]
    /// Texts of which the gate was surest that they are its own.
    public var examples: [Example]

    /// Describes an expert.
    public init(
      number: Int, kind: String, usage: Double, share: Double, accuracy: Double?,
      certainty: [Int], examples: [Example]
    ) {
      (self.number, self.kind, self.usage, self.share) = (number, kind, usage, share)
      (self.accuracy, self.certainty, self.examples) = (accuracy, certainty, examples)
    }
  }

  /// A text and its answer.
  public struct Example: Codable, Hashable, Sendable {
    /// The text.
    public var text: String
    /// What is right.
    public var actual: String
    /// What the expert said.
    public var predicted: String
    /// The gate's share of the expert.
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
    /// Share of its texts on each expert.
    public var usage: [Double]

    /// Describes a class or kind.
    public init(name: String, texts: Int, usage: [Double]) {
      (self.name, self.texts, self.usage) = (name, texts, usage)
    }
  }

  /// Where the model or the texts come from, for people.
  public var source: String
  /// Number of texts.
  public var texts: Int
  /// Texts that were longer than the model reads.
  public var truncated: Int
  /// Quality, usage and information by name.
  public var values: [Measure]
  /// Mean entropy of the gate's shares, in nats.
  public var entropy: Double
  /// The entropy of a gate that does not know: ln experts.
  public var greatestEntropy: Double
  /// The experts, in their order.
  public var experts: [Expert]
  /// The classes; kinds behind them.
  public var groups: [Group]
  /// Median time of one text alone, encoder included.
  public var millisecondsPerText: Double

  /// Collects what was measured.
  public init(
    source: String, texts: Int, truncated: Int, values: [Measure], entropy: Double,
    greatestEntropy: Double, experts: [Expert], groups: [Group], millisecondsPerText: Double
  ) {
    (self.source, self.texts, self.truncated, self.values) = (source, texts, truncated, values)
    (self.entropy, self.greatestEntropy) = (entropy, greatestEntropy)
    (self.experts, self.groups) = (experts, groups)
    self.millisecondsPerText = millisecondsPerText
  }
}
