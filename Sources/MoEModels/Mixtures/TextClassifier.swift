import MoETokenizers
public import MoECore
import MoERouting
public import MoETensor
public import SystemPackage

/// A Hecto model: an encoder with a gate and experts of different kinds on top.
///
/// - SeeAlso: Pandey et al. 2025, *Hecto: Modular Sparse Experts for Adaptive and Interpretable Reasoning*,
///   [arXiv:2506.22919](https://arxiv.org/abs/2506.22919).
public final class TextClassifier {
  /// The architecture and the meaning of the outputs.
  public let configuration: ClassifierConfiguration
  /// Encodes tokens as states.
  public let encoder: any TextEncoder
  /// Computes outputs from states.
  public let mixture: ExpertMixture

  /// Prefix of the names of the encoder's weights.
  public static let encoderPrefix = "encoder."

  /// Builds a model.
  ///
  /// - Parameters:
  ///   - configuration: The architecture.
  ///   - encoder: An encoder of that architecture.
  ///   - weights: The source of the head's weights.
  /// - Throws: What the source throws.
  public init(
    _ configuration: ClassifierConfiguration, encoder: any TextEncoder, weights: some WeightSource
  ) throws {
    precondition(
      encoder.configuration == configuration.encoder, "the encoder belongs to another model")
    (self.configuration, self.encoder) = (configuration, encoder)
    mixture = try ExpertMixture(configuration.mixture, weights: weights)
  }

  /// Opens a model folder, or the result of a training run.
  ///
  /// - Parameters:
  ///   - path: The folder.
  ///   - form: Type and packing.
  /// - Returns: The model.
  /// - Throws: ``ModelError``, `ConfigurationError`, `SafetensorsError` or `FileError`; ``WeightRoundingError`` for
  ///   packing.
  public static func open(_ path: FilePath, as form: WeightForm) throws -> TextClassifier {
    let path = try ModelLocation(path).path
    let checkpoint = try SafetensorsCheckpoint(path)
    let dtype = form.dtype ?? .f32
    let source: any WeightSource =
      if let packing = form.packing {
        // One arithmetic for any number of rows, so that a text's scores do not depend on its company.
        TransformedWeights(
          RoundedWeights(checkpoint, packing, dtype: dtype, activations: form.activations)
        ) { $1.precise() }
      } else {
        CheckpointWeights(checkpoint, dtype: dtype)
      }
    return try TextClassifier(
      configuration(path), weights: source,
      encoder: checkpoint.encoderWeights(source, prefix: encoderPrefix))
  }

  /// Opens a model folder, or the result of a training run.
  ///
  /// - Throws: ``ModelError``, `ConfigurationError`, `SafetensorsError` or `FileError`.
  public static func open(_ path: FilePath, dtype: DType = .f32) throws -> TextClassifier {
    try open(path, as: WeightForm(dtype: dtype))
  }

  private static func configuration(_ path: FilePath) throws -> ClassifierConfiguration {
    try ClassifierConfiguration(
      ConfigurationObject(path.appending(ModelLocation.configuration)))
  }

  private convenience init(
    _ configuration: ClassifierConfiguration, weights: some WeightSource,
    encoder: some WeightSource
  ) throws {
    try self.init(
      configuration, encoder: configuration.encoder.encoder(weights: encoder), weights: weights)
  }

  /// The linear layers of a model folder, in the order of the model.
  ///
  /// - Throws: ``ModelError``, `ConfigurationError` or `FileError`.
  public static func linearModules(of path: FilePath) throws -> [LinearModule] {
    let path = try ModelLocation(path).path
    let source = LinearModules(path)
    _ = try TextClassifier(
      configuration(path), weights: source,
      encoder: MappedWeights(source, renaming: { encoderPrefix + $0 }))
    return source.modules { ModuleKind(ofClassifier: $0) }
  }

  /// Converts texts to this model's tokens, with the tokenizer of a folder.
  ///
  /// - Throws: `TokenizerError`, `ConfigurationError` when it has more tokens than the encoder, or `FileError`.
  public func preparation(_ folder: FilePath) throws -> TextPreparation {
    let tokenizer = try Tokenizer(folder)
    guard tokenizer.vocabularyCount <= configuration.encoder.vocabularySize else {
      throw ConfigurationError.invalidValue(
        path: folder.appending("config.json"), key: "encoder.vocab_size",
        value: "\(configuration.encoder.vocabularySize)",
        expected: "at least \(tokenizer.vocabularyCount), the tokens of the tokenizer")
    }
    return TextPreparation(tokenizer, limit: configuration.maximumLength)
  }

  /// All weights by name.
  public var parameters: [NamedParameter] {
    encoder.parameters.map { NamedParameter(Self.encoderPrefix + $0.name, $0.parameter) }
      + mixture.parameters
  }

  /// The model's answer for one text.
  public struct Prediction: Hashable, Sendable {
    /// The most likely class; 0 for a score.
    public var label: Int
    /// Probability of each class; empty for a score.
    public var probabilities: [Float]
    /// The score in its range; `nil` for classes.
    public var score: Double?
    /// The expert that answered.
    public var expert: Int
    /// The gate's weight for each expert.
    public var gate: [Float]
  }

  /// Answers for texts, one expert for each.
  ///
  /// - Parameter texts: At most ``ClassifierConfiguration/maximumLength`` tokens each; at least one text.
  /// - Returns: One answer per text.
  /// - Throws: ``NonFiniteScores`` when the model's scores mean nothing.
  public func predict(_ texts: [TokenizedText]) throws(NonFiniteScores) -> [Prediction] {
    try withoutGradients { () throws(NonFiniteScores) -> [Prediction] in
      let output = mixture(encoder(texts))
      try check(output, of: texts)
      return predictions(output)
    }
  }

  /// Interprets the outputs of the head.
  public func predictions(_ output: MixedLayer.Output) -> [Prediction] {
    let gate = output.routing.probabilities.array(of: Float.self)
    let answers = output.answers.cast(to: .f32)
    let experts = configuration.mixture.experts.count
    let chosen = output.routing.assignments.map { $0[1] }
    let values =
      switch configuration.target {
      case .classes: answers.softmax(axis: 1).array(of: Float.self)
      case .score: answers.array(of: Float.self)
      }
    return chosen.indices.map { text in
      let shares = Array(gate[text * experts..<(text + 1) * experts])
      switch configuration.target {
      case .score(let range):
        let score = range.lowerBound + Double(values[text]) * (range.upperBound - range.lowerBound)
        return Prediction(
          label: 0, probabilities: [], score: score, expert: chosen[text], gate: shares)
      case .classes(let names):
        let row = Array(values[text * names.count..<(text + 1) * names.count])
        let best = row.indices.max { row[$0] < row[$1] } ?? 0
        return Prediction(
          label: best, probabilities: row, expert: chosen[text], gate: shares)
      }
    }
  }
}

@available(*, unavailable)
extension TextClassifier: Sendable {}
