import MoERouting
import MoEData
import MoETokenizers
import MoECore
import MoEModels
import MoETensor
import SystemPackage

/// Trains a language model on text.
struct LanguageRecipe: TrainingRecipe {
  /// Where the model comes from.
  enum Model: Sendable {
    /// A folder with a trained model.
    case folder(FilePath)
    /// New, of this architecture.
    case new(JSONObject)
  }

  /// Where the tokenizer comes from.
  enum Vocabulary: Sendable {
    /// A `tokenizer.json`.
    case file(FilePath)
    /// Learned from the training text.
    case learned(size: Int, specials: [String])
  }

  static let sections = ["model", "tokenizer", "data", "losses", "evaluation"]
  static let pathKeys = ["data.train", "data.validation", "tokenizer.path", "model.path"]

  let shared: TrainingSettings
  let model: Model
  let vocabulary: Vocabulary
  /// Text or token files to train on.
  let train: [FilePath]
  /// Text or token files to evaluate on.
  let validation: [FilePath]
  /// Fraction of the training data to hold out for evaluation instead.
  let validationShare: Double
  let field: String?
  /// Tokens that a window predicts.
  let context: Int
  let balance: Double?
  let balanceScope: LanguageTask.BalanceScope
  let z: Double
  let biasRate: Double
  let evaluationWindows: Int

  init(_ json: ConfigurationObject, _ shared: TrainingSettings) throws {
    self.shared = shared
    model = try Self.model(json)
    vocabulary = try Self.vocabulary(json, model)
    let data = try json.section(
      "data", ["train", "validation", "validation_share", "field", "context"])
    train = try data.paths("train")
    guard !train.isEmpty else {
      throw ConfigurationError.missingKey(path: json.path, key: "data.train")
    }
    validation = try data.paths("validation")
    validationShare = try data.fraction("validation_share") ?? 0
    guard validation.isEmpty || validationShare == 0 else {
      throw data.invalid("validation_share", "absent where data.validation names a file")
    }
    field = try data.optionalString("field")
    context = try data.int("context", in: 1...(1 << 20))
    let losses = try json.section("losses", ["balance", "balance_scope", "z", "bias_rate"])
    balance = try losses.optionalAmount("balance")
    balanceScope = losses.has("balance_scope") ? try losses.choice("balance_scope") : .layer
    z = try losses.optionalAmount("z") ?? 0
    biasRate = try losses.optionalAmount("bias_rate") ?? 0.001
    let evaluation = try json.section("evaluation", ["every", "windows"])
    evaluationWindows = try evaluation.optionalInt("windows", in: 1...(1 << 30)) ?? 64
  }

  private static func model(_ json: ConfigurationObject) throws -> Model {
    guard let object = try json.optionalObject("model") else {
      throw ConfigurationError.missingKey(path: json.path, key: "model")
    }
    guard let folder = try object.optionalString("path") else {
      var values = object.values
      if values["model_type"] == nil { values["model_type"] = .string(SwitchyardMoE.modelType) }
      return .new(values)
    }
    try object.refuseKeys(except: ["path"])
    return .folder(FilePath(folder))
  }

  private static func vocabulary(_ json: ConfigurationObject, _ model: Model) throws -> Vocabulary {
    let object = try json.section("tokenizer", ["path", "size", "special_tokens"])
    if let path = try object.optionalString("path") {
      guard !object.has("size", "special_tokens") else {
        throw object.invalid("size", "absent where tokenizer.path names a file")
      }
      return .file(FilePath(path))
    }
    if case .folder(let folder) = model, !object.has("size") { return .file(folder) }
    return .learned(
      size: try object.int("size", in: 256...(1 << 22)),
      specials: try object.optionalStrings("special_tokens") ?? ["<|endoftext|>"])
  }

  var resolved: [String: JSONObject] {
    [
      "losses": [
        "balance_scope": .string(balanceScope.rawValue), "z": .number(z),
        "bias_rate": .number(biasRate),
      ]
    ]
  }

  func checkFiles() throws { try LanguageData.check(self) }

  func prepare(
    in folder: FilePath, device: Device, progress: @escaping ProgressHandler
  ) throws -> PreparedTask<LanguageTask> {
    let data = try LanguageData(self, in: folder, progress: progress)
    let (model, files) = try NewModel.make(self, data: data, device: device)
    let task = try LanguageTask(
      model, windows: data.training, validation: data.validation,
      settings: taskSettings(model), seed: shared.seed, files: files, device: device)
    let weights = model.parameters.reduce(0) { $0 + $1.parameter.value.count }
    let configuration = model.configuration
    var prepared = PreparedTask(
      task: task,
      headline:
        "\(NumberText.amount(weights)) weights, \(NumberText.counted(configuration.layers.count, "layer")) (\(configuration.sparseLayers.count) sparse), \(configuration.experts) experts; \(NumberText.counted(data.training.count, "window"))",
      unit: "tokens", examples: data.training.count,
      consumption: .init(examples: data.training.count, batch: shared.batchSize))
    if data.joinsDocuments {
      prepared.notices.append(
        "the tokenizer has no token that ends a document (such as <|endoftext|> or </s>), so documents follow one another without one"
      )
    }
    if case .folder(let given) = self.model,
      let text = SafetensorsCheckpoint.indexWarning(in: try ModelLocation(given).path)
    {
      prepared.notices.append("\(given): \(text)")
    }
    if configuration.router?.seesFuture == true {
      prepared.notices.append(
        "the router sees later tokens, so the loss of a language model is too low")
    }
    return prepared
  }

  private func taskSettings(_ model: MoEDecoder) throws -> LanguageTask.Settings {
    guard !shared.recomputes || model.canRecompute else {
      throw SettingError(
        key: "training.recompute", value: "true",
        expected: "false for a router that draws random numbers")
    }
    var settings = LanguageTask.Settings(batchSize: shared.batchSize)
    settings.balance = balance ?? model.configuration.balanceCoefficient
    settings.balanceScope = balanceScope
    (settings.z, settings.biasRate) = (z, biasRate)
    settings.recomputes = shared.recomputes
    settings.evaluationWindows = evaluationWindows
    return settings
  }
}
