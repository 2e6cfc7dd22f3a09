import MoEData
import MoEEvaluation
import MoERouting
import MoECore
import MoEModels
import MoETensor
import SystemPackage

/// Trains a diffusion transformer on labelled images.
struct DiffusionRecipe: TrainingRecipe {
  /// Where the model comes from.
  enum Model: Sendable {
    /// A folder with a trained model.
    case folder(FilePath)
    /// New: a preset, if one is named, and the keys that differ from it.
    case new(
      preset: DiffusionSize?, router: DiffusionExpertsConfiguration.Router?,
      changes: JSONObject)
  }

  static let sections = ["model", "data", "losses", "evaluation"]
  static let pathKeys = [
    "model.path", "data.train", "data.labels", "data.validation", "data.validation_labels",
  ]

  let shared: TrainingSettings
  let model: Model
  let data: ImageDataSettings
  /// Coefficients and parameters of routing terms that the configuration gives, by name.
  let losses: [String: Double]
  let evaluationImages: Int
  let pictures: SamplePictures

  init(_ json: ConfigurationObject, _ shared: TrainingSettings) throws {
    self.shared = shared
    model = try Self.model(json)
    data = try ImageDataSettings(json)
    losses = try Self.losses(json)
    let evaluation = try json.section(
      "evaluation",
      [
        "every", "images", "samples", "sampler", "sampling_steps", "guidance", "guidance_interval",
      ])
    evaluationImages = try evaluation.optionalInt("images", in: 1...(1 << 20)) ?? 256
    pictures = try SamplePictures(evaluation)
  }

  /// The coefficients and parameters of all rules' terms, whether this model's rule has them or
  /// not.
  private static func losses(_ json: ConfigurationObject) throws -> [String: Double] {
    let settings = DiffusionRules.terms.flatMap(\.settings)
    let section = try json.section("losses", settings.map(\.name))
    return try settings.reduce(into: [:]) { values, setting in
      values[setting.name] =
        setting.isParameter
        ? try section.optionalNumber(setting.name) : try section.optionalAmount(setting.name)
    }
  }

  /// The rule of a preset; `nil` for a dense model.
  private static func router(
    _ json: ConfigurationObject
  ) throws -> DiffusionExpertsConfiguration.Router? {
    guard let name = try json.optionalString("router"), name != "dense" else { return nil }
    let registry = DiffusionRules.registry
    guard let rule = registry[name] else {
      let known = (["dense"] + registry.names).joined(separator: ", ")
      throw json.invalid("router", "one of \(known)")
    }
    return .init(rule)
  }

  private static func model(_ json: ConfigurationObject) throws -> Model {
    guard let object = try json.optionalObject("model") else {
      throw ConfigurationError.missingKey(path: json.path, key: "model")
    }
    if let folder = try object.optionalString("path") {
      try object.refuseKeys(except: ["path"])
      return .folder(FilePath(folder))
    }
    var changes = object.values
    for key in ["preset", "router", "model_type"] { changes[key] = nil }
    let preset: DiffusionSize? = object.has("preset") ? try object.choice("preset") : nil
    let router = try router(object)
    guard preset != nil || router == nil else {
      throw object.invalid("router", "with model.preset; otherwise write model.experts.router")
    }
    return .new(preset: preset, router: router, changes: changes)
  }

  var resolved: [String: JSONObject] {
    ["evaluation": pictures.resolved]
  }

  func checkFiles() throws {
    if case .folder(let folder) = model {
      try ModelLocation(folder).check(is: DiffusionModels.self)
    }
    try data.check()
  }

  func prepare(
    in folder: FilePath, device: Device, progress: @escaping ProgressHandler
  ) throws -> PreparedTask<DiffusionTask> {
    let stored = try storedModel()
    let known = stored?.knownClasses
    var images = try data.open(as: known, progress: progress)
    if let scale = stored?.latentScale, scale != images.latentScale {
      throw ConfigurationError.invalidValue(
        path: data.train[0], key: "scale",
        value: images.latentScale.map { "\($0)" } ?? "absent, as these are pictures",
        expected: "\(scale), as in the data that the model was trained on")
    }
    // Classes that the data only number keep the model's names.
    if let known { images.classNames = known + images.classNames.dropFirst(known.count) }
    let (model, rest) = try makeModel(images, device: device)
    let router = model.configuration.experts?.router
    let own = (router?.rule.terms ?? []).flatMap(\.settings).map(\.name)
    var settings = DiffusionTask.Settings(batchSize: shared.batchSize)
    settings.losses = losses.filter { own.contains($0.key) }
    settings.evaluationImages = evaluationImages
    settings.recomputes = shared.recomputes
    try pictures.check(model)
    let task = try DiffusionTask(
      model, images: ShuffledImages(images.training, flips: data.flips, seed: shared.seed),
      validation: images.validation, settings: settings, files: rest, device: device)
    task.pictures = pictures
    task.classNames = images.classNames
    return PreparedTask(
      task: task, headline: headline(model, images), unit: "images",
      examples: images.training.count,
      consumption: .init(examples: images.training.count, batch: shared.batchSize),
      notices: idleLosses(router))
  }

  /// Notices about coefficients and parameters that have no effect on a rule.
  private func idleLosses(_ router: DiffusionExpertsConfiguration.Router?) -> [String] {
    let own = (router?.rule.terms ?? []).map(\.name)
    let model = router.map { "the router '\($0.name)'" } ?? "a dense model"
    return DiffusionRules.terms.filter { !own.contains($0.name) }.flatMap { term in
      term.settings.filter { losses[$0.name] ?? 0 != 0 }
        .map { "losses.\($0.name) changes nothing: \(model) has no \(term.needs)" }
    }
  }

  /// The trained model to continue from, if there is one.
  private func storedModel() throws -> StoredDiffusionModel? {
    guard case .folder(let folder) = model else { return nil }
    return try StoredDiffusionModel(folder)
  }

  private func headline(_ model: DiffusionTransformer, _ images: ImageData) -> String {
    let configuration = model.configuration
    let weights = model.parameters.reduce(0) { $0 + $1.parameter.value.count }
    let rule = configuration.experts.map {
      "\(configuration.sparseBlocks.count) sparse: \($0.count) experts, \($0.router.name)"
    }
    return
      "\(NumberText.amount(weights)) weights, \(NumberText.counted(configuration.depth, "block")) (\(rule ?? "dense")); \(NumberText.counted(images.training.count, "image")) of \(images.training.imageShape.map(String.init).joined(separator: "×")), \(images.classNames.count) \(images.classNames.count == 1 ? "class" : "classes")"
  }

  private func makeModel(
    _ images: ImageData, device: Device
  ) throws -> (DiffusionTransformer, [ModelFile]) {
    let names = images.classNames.map(\.jsonQuoted).joined(separator: ", ")
    let files =
      [ModelFile("classes.json", Array("[\(names)]\n".utf8))]
      + (images.latentScale.map { [StoredDiffusionModel.latentFile(scale: $0)] } ?? [])
    let configuration: DiffusionConfiguration
    let source: any WeightSource
    switch model {
    case .folder(let given):
      let folder = try ModelLocation(given).path
      configuration = try DiffusionConfiguration(
        ConfigurationObject(folder.appending("config.json")))
      let checkpoint = try SafetensorsCheckpoint(folder)
      try configuration.check(checkpoint)
      source = CheckpointWeights(checkpoint, dtype: shared.dtype)
    case .new(let preset, let router, let changes):
      configuration = try DiffusionConfiguration(
        newConfiguration(preset, router, changes, images))
      try checkMemory(configuration)
      source = RandomWeights(RandomSource(seed: shared.seed))
    }
    let (size, channels) = (configuration.imageSize, configuration.channels)
    try data.check(images, shape: [channels, size, size], classes: configuration.classes)
    let weights = MappedWeights.trainable(source, dtype: shared.dtype, device: device)
    return (try DiffusionTransformer(configuration, weights: weights), files)
  }

  /// The preset, overridden by properties of the data and then by the configuration.
  private func newConfiguration(
    _ preset: DiffusionSize?, _ router: DiffusionExpertsConfiguration.Router?,
    _ changes: JSONObject, _ images: ImageData
  ) -> ConfigurationObject {
    let shape = images.training.imageShape
    var values: JSONObject = [
      "model_type": .string(DiffusionConfiguration.modelType),
      "image_size": .number(Double(shape[1])), "channels": .number(Double(shape[0])),
      "num_classes": .number(Double(images.classNames.count)),
    ]
    if let preset {
      let configuration = DiffusionConfiguration.preset(
        preset, router: router, classes: images.classNames.count, channels: shape[0])
      if case .object(let known) = configuration.object { values.merge(known) { $1 } }
    }
    for (key, change) in changes {
      // Keys under `experts` override those of the preset one by one.
      if case .object(var experts) = values[key] ?? .null, case .object(let inner) = change {
        experts.merge(inner) { $1 }
        values[key] = .object(experts)
      } else {
        values[key] = change
      }
    }
    // As in DDPM's models: variances are learned unless the configuration says otherwise.
    let objective = DiffusionConfiguration.Objective.noisePrediction.rawValue
    if values["objective"] == .string(objective), changes["learn_sigma"] ?? .null == .null {
      values["learn_sigma"] = .bool(true)
    }
    return ConfigurationObject(values, path: shared.path, prefix: "model.")
  }

  /// Rejects models that do not fit into this machine's memory, before anything is allocated.
  private func checkMemory(_ configuration: DiffusionConfiguration) throws {
    let counted = CountedWeights()
    _ = try DiffusionTransformer(configuration, weights: counted)
    let tokens = Double(shared.batchSize) * Double(configuration.tokens)
    // Per block: what attention, modulation and feed-forward networks keep for the backward pass.
    let kept = 4 * tokens * Double(configuration.depth) * 24 * Double(configuration.hiddenSize)
    try TrainingMemory.check(
      weights: counted.count, trained: shared, other: kept, of: "batches of \(Int(tokens)) patches")
  }
}
