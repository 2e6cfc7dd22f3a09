import MoEData
import MoETokenizers
import MoECore
import MoEModels
import MoETensor
import SystemPackage

/// Trains a model that predicts classes or scores of texts.
struct ClassificationRecipe: TrainingRecipe {
  /// Where the encoder comes from.
  enum Encoder: Sendable {
    /// A folder with a trained encoder, and the pooling to use in place of the encoder's.
    case folder(FilePath, pooling: EncoderConfiguration.Pooling?)
    /// New, of this architecture.
    case new(JSONObject)
  }

  static let sections = ["encoder", "head", "tokenizer", "data", "losses", "evaluation"]
  static let pathKeys = [
    "data.train", "data.test", "tokenizer.path", "encoder.path", "encoder.cache",
  ]

  let shared: TrainingSettings
  let encoder: Encoder
  /// Whether the encoder is frozen.
  let isFrozen: Bool
  /// Where the states of a frozen encoder are cached.
  let cache: FilePath
  /// The head, without its input width and number of outputs.
  let head: MixtureConfiguration
  let tokenizer: FilePath?
  /// Size of the vocabulary that is learned from the training texts.
  let vocabularySize: Int?
  let data: ClassificationSource
  let entropy: Double
  let balance: Double
  let dropout: Double

  init(_ json: ConfigurationObject, _ shared: TrainingSettings) throws {
    self.shared = shared
    guard let object = try json.optionalObject("encoder") else {
      throw ConfigurationError.missingKey(path: json.path, key: "encoder")
    }
    (encoder, isFrozen) = try Self.encoder(object)
    cache = try object.optionalString("cache").map { FilePath($0) } ?? StateCache.shared
    head = try MixtureConfiguration(
      json.section("head", MixtureConfiguration.keys + ["dropout"]), inputs: 1, outputs: 1)
    let vocabulary = try json.section("tokenizer", ["path", "size"])
    tokenizer = try vocabulary.optionalString("path").map { FilePath($0) }
    vocabularySize = try vocabulary.optionalInt("size", in: 512...(1 << 22))
    guard tokenizer == nil || vocabularySize == nil else {
      throw vocabulary.invalid("size", "absent where tokenizer.path names a file")
    }
    if case .folder = encoder, vocabularySize != nil {
      throw vocabulary.invalid("size", "absent: a trained encoder knows its own tokens only")
    }
    data = try ClassificationSource(json)
    if case .new = encoder, tokenizer == nil, vocabularySize == nil, !data.isSynthetic {
      throw ConfigurationError.missingKey(
        path: json.path, key: "tokenizer.size' or 'tokenizer.path")
    }
    dropout = try json.optionalObject("head")?.fraction("dropout") ?? 0
    let losses = try json.section("losses", ["entropy", "balance"])
    entropy = try losses.optionalNumber("entropy", above: -1e6) ?? 0.01
    balance = try losses.optionalNumber("balance", above: -1e6) ?? 0.1
    guard !shared.recomputes else {
      throw SettingError(
        key: "training.recompute", value: "true", expected: "false for this task")
    }
  }

  private static let encoderKeys = [
    "model_type", "vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads",
    "intermediate_size", "max_position_embeddings", "type_vocab_size", "layer_norm_eps",
    "hidden_act", "dim", "n_layers", "n_heads", "hidden_dim", "activation", "pooling",
  ]

  private static func encoder(
    _ object: ConfigurationObject
  ) throws -> (Encoder, isFrozen: Bool) {
    guard let path = try object.optionalString("path") else {
      try object.refuseKeys(except: encoderKeys)
      return (.new(object.values), false)
    }
    try object.refuseKeys(except: ["path", "frozen", "pooling", "cache"])
    let pooling: EncoderConfiguration.Pooling? =
      object.has("pooling") ? try object.choice("pooling") : nil
    let isFrozen = try object.optionalBool("frozen") ?? false
    guard isFrozen || !object.has("cache") else {
      throw object.invalid("cache", "absent: only the states of a frozen encoder are kept")
    }
    return (.folder(FilePath(path), pooling: pooling), isFrozen)
  }

  var resolved: [String: JSONObject] {
    [
      "losses": ["entropy": .number(entropy), "balance": .number(balance)],
      "head": head.json.merging(["dropout": .number(dropout)]) { first, _ in first },
      "data": data.resolved,
    ]
  }

  func checkFiles() throws {
    if case .folder(let folder, _) = encoder { _ = try StoredEncoder(folder) }
    if let tokenizer { _ = try Tokenizer(ModelLocation.tokenizer(tokenizer)) }
    try data.checkFiles()
  }

  func prepare(
    in folder: FilePath, device: Device, progress: @escaping ProgressHandler
  ) throws -> PreparedTask<ClassificationTask> {
    let texts = try data.read()
    let parts = try ClassificationParts(
      self, texts, in: folder, device: device, progress: progress)
    let task = ClassificationTask(
      parts.model, training: parts.training, test: parts.test,
      settings: .init(
        batchSize: shared.batchSize, entropy: entropy, balance: balance, dropout: dropout,
        isFrozen: isFrozen),
      seed: shared.seed, files: parts.files, device: device)
    let counts = [task.weights, task.buffers].map { weights in
      NumberText.amount(weights.reduce(0) { $0 + $1.parameter.value.count })
    }
    let kinds = parts.model.configuration.mixture.experts.map(\.name).joined(separator: " + ")
    var prepared = PreparedTask(
      task: task,
      headline:
        "\(counts[0]) weights to train, \(counts[1]) frozen; experts \(kinds); \(NumberText.counted(parts.training.count, "text")), \(parts.test?.count ?? 0) to test",
      unit: "texts", examples: parts.training.count,
      consumption: .init(
        examples: parts.training.count, batch: shared.batchSize, crossesPasses: false))
    if let test = texts.test, !test.hasVariety {
      prepared.notices.append(
        "all test texts are of one class, so accuracy and macro-F1 say little")
    }
    let cut = parts.training.truncated + (parts.test?.truncated ?? 0)
    if cut > 0 {
      prepared.notices.append(
        "\(NumberText.counted(cut, "text")) \(cut == 1 ? "is" : "are") longer than data.max_length (\(parts.model.configuration.maximumLength) tokens) and \(cut == 1 ? "was" : "were") truncated"
      )
    }
    return prepared
  }
}
