import MoEData
import MoETokenizers
import Foundation
import MoECore
import MoEModels
import MoETensor
import SystemPackage

/// The model and the data of a run for classes or scores.
struct ClassificationParts {
  let model: TextClassifier
  let training: ClassificationSet
  let test: ClassificationSet?
  /// Files of the model's folder besides weights.
  let files: [ModelFile]

  init(
    _ recipe: ClassificationRecipe, _ texts: (train: LabelledTexts, test: LabelledTexts?),
    in folder: FilePath, device: Device, progress: @escaping ProgressHandler
  ) throws {
    let path = folder.appending("tokenizer.json")
    if path.isMissing { try Self.makeTokenizer(recipe, texts.train, at: path, progress) }
    let tokenizer = try Tokenizer(path)
    let source = try EncoderSource(recipe, tokenizer)
    let limit = recipe.data.maximumLength ?? min(128, source.configuration.contextLength)
    guard limit <= source.configuration.contextLength else {
      throw SettingError(
        key: "data.max_length", value: "\(limit)",
        expected: "at most the encoder's \(source.configuration.contextLength)")
    }
    let preparation = TextPreparation(tokenizer, limit: limit)
    var training = try ClassificationSet(texts.train, with: preparation)
    var test = try texts.test.map { try ClassificationSet($0, with: preparation) }
    let target = texts.train.target
    var mixture = recipe.head
    (mixture.inputs, mixture.outputs) = (source.configuration.hiddenSize, target.outputs)
    let configuration = ClassifierConfiguration(
      encoder: source.configuration, mixture: mixture, target: target, maximumLength: limit,
      readsPairs: texts.train.texts.contains { $0.second != nil })
    try Self.checkMemory(configuration)
    let random = RandomWeights(RandomSource(seed: recipe.shared.seed))
    let dtype = recipe.shared.dtype
    let encoder = try source.encoder(random, dtype: dtype, device: device)
    model = try TextClassifier(
      configuration, encoder: encoder,
      weights: MappedWeights.trainable(random, dtype: dtype, device: device))
    if recipe.isFrozen, let identity = try source.identity() {
      let cache = StateCache(folder: recipe.cache)
      let key = "\(identity) \(dtype)"
      training.states = try cache.states(
        of: training.tokens, by: encoder, identity: key, progress: progress)
      if let held = test {
        test?.states = try cache.states(
          of: held.tokens, by: encoder, identity: key, progress: progress)
      }
    }
    (self.training, self.test) = (training, test)
    files = [
      ModelFile(
        "config.json", Array(try JSONValue.object(configuration.json).json().utf8)),
      ModelFile("tokenizer.json", try MappedFile(path).copied(upTo: FileLimit.json)),
    ]
  }

  /// Rejects models that do not fit into this machine's memory, before anything is allocated.
  private static func checkMemory(_ configuration: ClassifierConfiguration) throws {
    let counted = CountedWeights()
    _ = try configuration.encoder.encoder(weights: counted)
    _ = try ExpertMixture(configuration.mixture, weights: counted)
    // Weight, gradient and two moments.
    let (needed, memory) = (
      Double(counted.count) * 16, Double(ProcessInfo.processInfo.physicalMemory)
    )
    guard needed <= memory else {
      throw SettingError(
        key: "encoder", value: "of \(counted.count) weights with its head",
        expected:
          "smaller: training needs more than \(ByteCount(Int(min(needed, 1e18)))), and this machine has \(ByteCount(Int(memory)))"
      )
    }
  }

  private static func makeTokenizer(
    _ recipe: ClassificationRecipe, _ texts: LabelledTexts, at path: FilePath,
    _ progress: @escaping ProgressHandler
  ) throws {
    if let size = recipe.vocabularySize {
      let trainer = try BPETrainer(
        vocabularySize: size, specialTokens: ["[CLS]", "[SEP]", "<|endoftext|>"])
      let text = texts.texts.flatMap { [$0.first, $0.second].compactMap(\.self) }
        .joined(separator: "\n")
      return try trainer.train(on: text, progress: progress).write(to: path)
    }
    var given = recipe.tokenizer
    if case .folder(let folder, _) = recipe.encoder { given = given ?? folder }
    guard let given else {
      return try AtomicFile.write(SyntheticTexts.tokenizerJSON(), to: path)
    }
    let source = try ModelLocation.tokenizer(given)
    let file = source.isDirectory ? source.appending("tokenizer.json") : source
    try AtomicFile.write(MappedFile(file).copied(upTo: FileLimit.json), to: path)
  }
}

/// Where the encoder's architecture and weights come from.
private struct EncoderSource {
  let configuration: EncoderConfiguration
  private let stored: StoredEncoder?

  init(_ recipe: ClassificationRecipe, _ tokenizer: Tokenizer) throws {
    switch recipe.encoder {
    case .folder(let folder, let pooling):
      var stored = try StoredEncoder(folder)
      if let pooling { stored.configuration.pooling = pooling }
      guard stored.configuration.pooling != .pooler || stored.configuration.family == .bert else {
        throw SettingError(
          key: "encoder.pooling", value: "pooler", expected: "cls or mean; only BERT has a pooler")
      }
      (self.stored, configuration) = (stored, stored.configuration)
    case .new(var values):
      if values["vocab_size"] ?? .null == .null {
        values["vocab_size"] = .number(Double(tokenizer.vocabularyCount))
      }
      let json = ConfigurationObject(values, path: recipe.shared.path, prefix: "encoder.")
      (stored, configuration) = (nil, try EncoderConfiguration(json))
    }
    guard tokenizer.vocabularyCount <= configuration.vocabularySize else {
      throw SettingError(
        key: "encoder.vocab_size", value: "\(configuration.vocabularySize)",
        expected: "at least \(tokenizer.vocabularyCount), the tokens of the tokenizer")
    }
  }

  func encoder(
    _ random: RandomWeights, dtype: DType, device: Device
  ) throws -> any TextEncoder {
    if let stored { return try stored.encoder(dtype: dtype, device: device) }
    return try configuration.encoder(
      weights: MappedWeights.trainable(random, dtype: dtype, device: device))
  }

  /// What identifies a trained encoder; `nil` for a new one.
  func identity() throws -> String? { try stored?.identity() }
}
