public import MoECore

/// The architecture of a ``DiffusionTransformer``.
///
///     {"model_type": "diffusion_transformer", "image_size": 32, "channels": 4, "patch_size": 2,
///      "hidden_size": 384, "num_hidden_layers": 12, "num_attention_heads": 6, "num_classes": 1000,
///      "label_dropout": 0.1, "learn_sigma": true, "qk_norm": false, "objective": "rectified_flow",
///      "experts": {"router": "promoe", "count": 12}}
///
/// Without `experts` all blocks are dense; with it every second one is sparse, starting with the
/// second. An unknown key is an error.
public struct DiffusionConfiguration: Hashable, Sendable {
  /// What a model predicts from a noisy image.
  public enum Objective: String, Hashable, Codable, Sendable, CaseIterable {
    /// The velocity from image to noise.
    case rectifiedFlow = "rectified_flow"
    /// The noise.
    case noisePrediction = "noise_prediction"
  }

  /// The `model_type` of these models in `config.json`.
  public static let modelType = "diffusion_transformer"

  /// Rows and columns of an image.
  public var imageSize: Int
  /// Channels of an image.
  public var channels: Int
  /// Rows and columns of a patch; divides ``imageSize``.
  public var patchSize: Int
  /// Width of the model, a multiple of 4 and of ``heads``.
  public var hiddenSize: Int
  /// Number of blocks.
  public var depth: Int
  /// Attention heads.
  public var heads: Int
  /// Number of classes.
  public var classes: Int
  /// Fraction of labels that training replaces by the null label, from 0 to below 1; with 0 there
  /// is no null label.
  public var labelDropout: Double
  /// Whether the model also predicts a variance, in as many additional channels.
  public var learnsSigma: Bool
  /// Whether queries and keys are normalized.
  public var hasQueryKeyNorm: Bool
  /// What the model predicts.
  public var objective: Objective
  /// The experts of the sparse blocks, if any.
  public var experts: DiffusionExpertsConfiguration?

  /// Creates a configuration.
  public init(
    imageSize: Int, channels: Int, patchSize: Int, hiddenSize: Int, depth: Int, heads: Int,
    classes: Int, labelDropout: Double = 0.1, learnsSigma: Bool = true,
    hasQueryKeyNorm: Bool = false, objective: Objective = .rectifiedFlow,
    experts: DiffusionExpertsConfiguration? = nil
  ) {
    (self.imageSize, self.channels, self.patchSize) = (imageSize, channels, patchSize)
    (self.hiddenSize, self.depth, self.heads) = (hiddenSize, depth, heads)
    (self.classes, self.labelDropout, self.learnsSigma) = (classes, labelDropout, learnsSigma)
    (self.hasQueryKeyNorm, self.objective, self.experts) = (hasQueryKeyNorm, objective, experts)
  }

  /// Patches of an image.
  public var tokens: Int { (imageSize / patchSize) * (imageSize / patchSize) }
  /// Output channels of the model.
  public var outputChannels: Int { learnsSigma ? 2 * channels : channels }
  /// Whether there is a null label, number ``classes``.
  public var hasNullLabel: Bool { labelDropout > 0 }
  /// Whether block `place`, from 0, has experts.
  public func isSparse(_ place: Int) -> Bool { experts != nil && !place.isMultiple(of: 2) }
  /// Indices of the blocks with experts.
  public var sparseBlocks: [Int] { (0..<depth).filter(isSparse) }
}

extension DiffusionConfiguration {
  private static let keys = [
    "model_type", "architectures", "dtype", "image_size", "channels", "patch_size", "hidden_size",
    "num_hidden_layers", "num_attention_heads", "num_classes", "label_dropout", "learn_sigma",
    "qk_norm", "objective", "experts",
  ]

  /// Reads a configuration and checks that a model can be built from it.
  ///
  /// - Throws: `ConfigurationError` that names the key; ``ModelError`` for another `model_type`.
  public init(_ json: ConfigurationObject) throws {
    let type = try json.optionalString("model_type") ?? ""
    guard type == Self.modelType else {
      throw ModelError.unsupportedFamily(path: json.path, name: type, supported: [Self.modelType])
    }
    try json.refuseKeys(except: Self.keys)
    self.init(
      imageSize: try json.int("image_size", in: 1...4096),
      channels: try json.int("channels", in: 1...1024),
      patchSize: try json.int("patch_size", in: 1...1024),
      hiddenSize: try json.int("hidden_size", in: 1...(1 << 16)),
      depth: try json.int("num_hidden_layers", in: 1...256),
      heads: try json.int("num_attention_heads", in: 1...4096),
      classes: try json.int("num_classes", in: 1...(1 << 20)),
      labelDropout: try json.optionalAmount("label_dropout") ?? 0.1,
      learnsSigma: try json.optionalBool("learn_sigma") ?? true,
      hasQueryKeyNorm: try json.optionalBool("qk_norm") ?? false,
      objective: json.has("objective") ? try json.choice("objective") : .rectifiedFlow)
    try check(json)
    if let object = try json.optionalObject("experts") {
      experts = try DiffusionExpertsConfiguration(
        object, hiddenSize: hiddenSize, classes: classes, hasNullLabel: hasNullLabel)
      guard depth >= 2 else {
        throw json.invalid("num_hidden_layers", "at least 2 for a model with experts")
      }
    }
  }

  private func check(_ json: ConfigurationObject) throws(ConfigurationError) {
    guard imageSize.isMultiple(of: patchSize) else {
      throw json.invalid("patch_size", "a divisor of image_size (\(imageSize))")
    }
    // A gigabyte of positions, and attention between as many patches, are far beyond any model.
    guard tokens <= 1 << 16, tokens * hiddenSize <= 1 << 28 else {
      throw json.invalid("patch_size", "larger: an image would have \(tokens) patches")
    }
    guard hiddenSize.isMultiple(of: 4) else {
      throw json.invalid(
        "hidden_size", "a multiple of 4: sines and cosines of rows and of columns share it")
    }
    guard hiddenSize.isMultiple(of: heads) else {
      throw json.invalid("num_attention_heads", "a divisor of hidden_size (\(hiddenSize))")
    }
    guard labelDropout < 1 else { throw json.invalid("label_dropout", "from 0 to below 1") }
  }

  /// The configuration as an object of `config.json`.
  package var object: JSONValue {
    var values: JSONObject = [
      "model_type": .string(Self.modelType), "image_size": .number(Double(imageSize)),
      "channels": .number(Double(channels)), "patch_size": .number(Double(patchSize)),
      "hidden_size": .number(Double(hiddenSize)), "num_hidden_layers": .number(Double(depth)),
      "num_attention_heads": .number(Double(heads)), "num_classes": .number(Double(classes)),
      "label_dropout": .number(labelDropout), "learn_sigma": .bool(learnsSigma),
      "qk_norm": .bool(hasQueryKeyNorm), "objective": .string(objective.rawValue),
    ]
    if let experts { values["experts"] = experts.json }
    return .object(values)
  }

  /// The text of `config.json`.
  public func json() throws -> String {
    try JSONText.pretty(object)
  }
}
