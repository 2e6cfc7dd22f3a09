public import MoECore

/// The configuration of a Hecto model: an encoder, a head, and the meaning of its outputs.
///
///     {"model_type": "hecto", "labels": ["World", "Sports"], "max_length": 128,
///      "encoder": {"model_type": "bert", …, "pooling": "cls"},
///      "experts": ["ff", "gru"], "width": 256, "expert_size": 128, "temperature": 1.5,
///      "gate_gradient": "straight_through"}
///
/// A model for scores has `"score_range": [0, 5]` instead of `labels`; one that reads pairs of texts has `"pairs": true`.
public struct ClassifierConfiguration: Hashable, Sendable {
  /// The meaning of the outputs.
  public enum Target: Hashable, Sendable {
    /// One of these classes.
    case classes([String])
    /// A number in this range; the head gives its position in the range, from 0 to 1.
    case score(ClosedRange<Double>)

    /// Output width of the head.
    public var outputs: Int {
      switch self {
      case .classes(let names): names.count
      case .score: 1
      }
    }

    /// Names of the classes; `nil` for a score.
    public var classNames: [String]? {
      guard case .classes(let names) = self else { return nil }
      return names
    }
  }

  /// `hecto`.
  public static let modelType = "hecto"
  private static let keys = [
    "model_type", "labels", "score_range", "max_length", "pairs", "encoder",
  ]

  /// The encoder.
  public var encoder: EncoderConfiguration
  /// The head.
  public var mixture: MixtureConfiguration
  /// The meaning of the outputs.
  public var target: Target
  /// Maximum number of tokens of a text, special tokens included.
  public var maximumLength: Int
  /// Whether it reads pairs of texts instead of single ones.
  public var readsPairs: Bool

  /// Combines the parts.
  ///
  /// - Precondition: The head's input width is the encoder's, and its output width the target's.
  public init(
    encoder: EncoderConfiguration, mixture: MixtureConfiguration, target: Target,
    maximumLength: Int, readsPairs: Bool = false
  ) {
    precondition(
      mixture.inputs == encoder.hiddenSize && mixture.outputs == target.outputs
        && 8...encoder.contextLength ~= maximumLength,
      "a head of \(mixture.inputs) → \(mixture.outputs) on \(encoder), \(maximumLength) tokens")
    (self.encoder, self.mixture) = (encoder, mixture)
    (self.target, self.maximumLength) = (target, maximumLength)
    self.readsPairs = readsPairs
  }

  /// Reads the `config.json` of a model.
  ///
  /// - Throws: `ConfigurationError` that names the key; ``ModelError`` for an unknown encoder.
  public init(_ json: ConfigurationObject) throws {
    guard try json.optionalString("model_type") == Self.modelType else {
      throw json.invalid("model_type", "'\(Self.modelType)'")
    }
    try json.refuseKeys(except: Self.keys + MixtureConfiguration.keys)
    guard let object = try json.optionalObject("encoder") else {
      throw ConfigurationError.missingKey(path: json.path, key: "encoder")
    }
    encoder = try EncoderConfiguration(object)
    if let labels = try json.optionalStrings("labels") {
      guard 2...65_536 ~= labels.count, Set(labels).count == labels.count else {
        throw json.invalid("labels", "a list of at least two different names")
      }
      target = .classes(labels)
    } else {
      target = .score(try Self.range(json))
    }
    guard 8...encoder.contextLength ~= (try json.int("max_length", in: 8...(1 << 20))) else {
      throw json.invalid("max_length", "at most the encoder's \(encoder.contextLength)")
    }
    maximumLength = try json.int("max_length", in: 8...encoder.contextLength)
    readsPairs = try json.optionalBool("pairs") ?? false
    mixture = try MixtureConfiguration(json, inputs: encoder.hiddenSize, outputs: target.outputs)
  }

  private static func range(_ json: ConfigurationObject) throws -> ClosedRange<Double> {
    guard case .array(let bounds) = json.value("score_range"), bounds.count == 2,
      case .number(let low) = bounds[0], case .number(let high) = bounds[1], low < high,
      low.isFinite, high.isFinite
    else { throw json.invalid("score_range", "two ascending numbers, where there are no labels") }
    return low...high
  }

  /// The contents of a `config.json`.
  package var json: JSONObject {
    var result = mixture.json
    result["model_type"] = .string(Self.modelType)
    result["max_length"] = .number(Double(maximumLength))
    result["pairs"] = .bool(readsPairs)
    result["encoder"] = .object(encoder.json)
    switch target {
    case .classes(let names): result["labels"] = .array(names.map { .string($0) })
    case .score(let range):
      result["score_range"] = .array([.number(range.lowerBound), .number(range.upperBound)])
    }
    return result
  }
}
