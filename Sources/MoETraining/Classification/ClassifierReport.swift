import MoEEvaluation
import MoEModels
import MoETensor
public import SystemPackage

/// What a model for classes or scores does with texts whose answers are known: how well, how fast, and which expert
/// answers what.
public struct ClassifierReport: Codable, Sendable {
  /// One expert of the model.
  public struct Expert: Codable, Sendable {
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
    /// Texts of which the gate was surest that they are its own.
    public var examples: [Example]
  }

  /// A text and its answer.
  public struct Example: Codable, Sendable {
    /// The text.
    public var text: String
    /// What is right.
    public var actual: String
    /// What the expert said.
    public var predicted: String
    /// The gate's share of the expert.
    public var share: Double
  }

  /// A class or kind of texts.
  public struct Group: Codable, Sendable {
    /// Its name.
    public var name: String
    /// Number of texts.
    public var texts: Int
    /// Share of its texts on each expert.
    public var usage: [Double]
  }

  /// Number of texts.
  public var texts: Int
  /// Texts that were longer than the model reads.
  public var truncated: Int
  /// Quality, usage and information by name.
  public var values: [NamedValue]
  /// The experts, in their order.
  public var experts: [Expert]
  /// The classes; kinds behind them.
  public var groups: [Group]
  /// Median time of one text alone, encoder included.
  public var millisecondsPerText: Double

  /// Opens a model and lets it answer for the texts of a file.
  ///
  /// - Parameters:
  ///   - folder: Folder of the model.
  ///   - data: The file.
  ///   - format: Its format; `nil` for the one whose classes or scores the model has.
  ///   - examples: Texts to show per expert.
  /// - Throws: ``DataError``, `ModelError`, `TokenizerError` or `FileError`.
  public init(
    of folder: FilePath, on data: FilePath, format: TextDataFormat? = nil, examples: Int = 3
  ) throws {
    let model = try TextClassifier.open(folder)
    let target = model.configuration.target
    guard let format = format ?? TextDataFormat.allCases.first(where: { $0.target == target }),
      format.target == target
    else {
      throw TrainingError.invalidSetting(
        key: "--format", value: format?.rawValue ?? "absent",
        expected: "a format with the classes or scores of the model")
    }
    let source = try format.read(data)
    let preparation = try model.preparation(folder)
    let set = try ClassificationSet(source, with: preparation)
    self.init(model, source, set, examples: examples)
  }

  init(_ model: TextClassifier, _ source: LabelledTexts, _ set: ClassificationSet, examples: Int) {
    let predictions = Self.predictions(model, set)
    let evaluation = ClassificationEvaluation(model.configuration, set, predictions)
    let usage = evaluation.usage
    (texts, truncated, values) = (set.count, set.truncated, evaluation.values)
    let accuracy = evaluation.classes == nil ? nil : evaluation.accuracyByExpert
    experts = model.configuration.mixture.experts.enumerated().map { number, kind in
      Expert(
        number: number, kind: kind.rawValue, usage: usage.usage[number],
        share: usage.shares[number], accuracy: accuracy?[number],
        examples: Self.examples(examples, of: number, predictions, source))
    }
    groups = [usage, evaluation.usageByKind].compactMap(\.self).flatMap { usage in
      usage.groups.enumerated().map { group, name in
        let count = usage.counts[group * usage.experts..<(group + 1) * usage.experts].reduce(0, +)
        return Group(name: name, texts: count, usage: usage.usage(ofGroup: group))
      }
    }
    millisecondsPerText = Self.time(model, set)
  }

  private static func predictions(
    _ model: TextClassifier, _ set: ClassificationSet
  ) -> [TextClassifier.Prediction] {
    let order = (0..<set.count).sorted {
      (set.tokens[$0].ids.count, $0) < (set.tokens[$1].ids.count, $1)
    }
    var result: [(text: Int, prediction: TextClassifier.Prediction)] = []
    for start in stride(from: 0, to: order.count, by: 64) {
      let batch = Array(order[start..<min(start + 64, order.count)])
      result += zip(batch, model.predict(batch.map { set.tokens[$0] })).map { ($0, $1) }
    }
    return result.sorted { $0.text < $1.text }.map(\.prediction)
  }

  private static func examples(
    _ count: Int, of expert: Int, _ predictions: [TextClassifier.Prediction],
    _ source: LabelledTexts
  ) -> [Example] {
    let own = predictions.indices.filter { predictions[$0].expert == expert }.sorted {
      (-predictions[$0].gate[expert], $0) < (-predictions[$1].gate[expert], $1)
    }
    return own.prefix(count).map { place in
      let (text, it) = (source.texts[place], predictions[place])
      let words = text.second.map { "\(text.first) | \($0)" } ?? text.first
      let (actual, predicted): (String, String) =
        switch source.target {
        case .classes(let names): (names[text.label], names[it.label])
        case .score: ("\(text.score)", "\(((it.score ?? 0) * 100).rounded() / 100)")
        }
      return Example(
        text: words, actual: actual, predicted: predicted, share: Double(it.gate[expert]))
    }
  }

  /// The median of up to 50 texts, one at a time, after a first one that does not count.
  private static func time(_ model: TextClassifier, _ set: ClassificationSet) -> Double {
    let clock = ContinuousClock()
    let times = set.tokens.prefix(51).map { text in
      clock.measure { _ = model.predict([text]) } / .milliseconds(1)
    }
    let sorted = times.dropFirst().sorted()
    return sorted.isEmpty ? times.first ?? 0 : sorted[sorted.count / 2]
  }
}
