import Foundation
public import MoECore
import MoEModels
import MoETensor
public import SystemPackage

/// What `switchyard train` reads: one checked JSON file about model, data and training.
///
/// `Documentation/training.md` explains every key. A key that nobody knows is an error that names the nearest.
public struct TrainingConfiguration: Sendable {
  /// Where the model comes from.
  enum Model: Sendable {
    /// A folder with a trained model.
    case folder(FilePath)
    /// New, of this architecture.
    case new([String: ConfigurationObject.Value])
  }

  /// Where the tokenizer comes from.
  enum Vocabulary: Sendable {
    /// A `tokenizer.json`.
    case file(FilePath)
    /// Learned from the training text.
    case learned(size: Int, specials: [String])
  }

  /// The file, for messages.
  public let path: FilePath
  let model: Model
  let vocabulary: Vocabulary
  /// Text or token files to train on.
  let train: [FilePath]
  /// Text or token files to evaluate on.
  let validation: [FilePath]
  /// Share of the training data to evaluate on instead.
  let validationShare: Double
  let field: String?
  /// Tokens that a window predicts.
  public let context: Int
  /// Steps in all.
  public let steps: Int
  /// Decides all random numbers.
  public let seed: UInt64
  /// Type to compute in.
  public let dtype: DType
  let batchSize: Int
  let recomputes: Bool
  let balance: Double?
  let balanceScope: LanguageTask.BalanceScope
  let z: Double
  let biasRate: Double
  let evaluationWindows: Int
  /// When and how often the run does what.
  let intervals: RunIntervals
  let loop: LoopSettings
  /// The configuration with all defaults filled in.
  let resolved: ConfigurationObject.Value

  /// Reads and checks a file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - settings: Changes, each `key=value` with a dotted key; later ones win.
  /// - Throws: `ModelError` or ``TrainingError`` that names the key, or a `FileError`.
  public init(_ path: FilePath, settings: [String] = []) throws {
    var tree = try ConfigurationTree(path)
    for setting in settings { try tree.set(setting) }
    try self.init(ConfigurationObject(tree.values, path: path))
  }

  init(_ json: ConfigurationObject) throws {
    path = json.path
    try json.refuseKeys(except: [
      "model", "tokenizer", "data", "training", "optimizer", "schedule", "losses", "evaluation",
      "checkpoints", "log",
    ])
    model = try Self.model(json)
    vocabulary = try Self.vocabulary(json, model)
    let data = try json.section(
      "data", ["train", "validation", "validation_share", "field", "context"])
    train = try data.paths("train")
    guard !train.isEmpty else { throw ModelError.missingKey(path: path, key: "data.train") }
    validation = try data.paths("validation")
    validationShare = try data.share("validation_share") ?? 0
    guard validation.isEmpty || validationShare == 0 else {
      throw data.invalid("validation_share", "absent where data.validation names a file")
    }
    field = try data.optionalString("field")
    context = try data.int("context", in: 1...(1 << 20))
    let training = try TrainingSection(json)
    (steps, seed, dtype) = (training.steps, training.seed, training.dtype)
    (batchSize, recomputes) = (training.batchSize, training.recomputes)
    loop = try training.loop(json)
    let losses = try json.section("losses", ["balance", "balance_scope", "z", "bias_rate"])
    balance = try losses.optionalAmount("balance")
    balanceScope = losses.has("balance_scope") ? try losses.choice("balance_scope") : .layer
    z = try losses.optionalAmount("z") ?? 0
    biasRate = try losses.optionalAmount("bias_rate") ?? 0.001
    let evaluation = try json.section("evaluation", ["every", "windows"])
    evaluationWindows = try evaluation.optionalInt("windows", in: 1...(1 << 30)) ?? 64
    intervals = try RunIntervals(json, steps: steps)
    let coefficients: [String: ConfigurationObject.Value] = [
      "balance_scope": .string(balanceScope.rawValue), "z": .number(z),
      "bias_rate": .number(biasRate),
    ]
    resolved = Self.resolved(json, training, loop, coefficients, intervals)
  }

  private static func model(_ json: ConfigurationObject) throws -> Model {
    guard let object = try json.optionalObject("model") else {
      throw ModelError.missingKey(path: json.path, key: "model")
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

  /// What was given, with the defaults that decide about the losses.
  private static func resolved(
    _ json: ConfigurationObject, _ training: TrainingSection, _ loop: LoopSettings,
    _ losses: [String: ConfigurationObject.Value], _ intervals: RunIntervals
  ) -> ConfigurationObject.Value {
    var tree = json.values
    func merge(_ section: String, _ values: [String: ConfigurationObject.Value]) {
      var merged = values
      if case .object(let given) = tree[section] ?? .null { merged.merge(given) { old, _ in old } }
      tree[section] = .object(merged.filter { $0.value != .null })
    }
    merge("training", training.resolved)
    merge("optimizer", loop.resolvedOptimizer)
    merge("schedule", loop.resolvedSchedule)
    merge("losses", losses)
    merge("evaluation", ["every": .number(Double(intervals.evaluation ?? 0))])
    merge("checkpoints", ["every": .number(Double(intervals.checkpoint))])
    return .object(tree)
  }
}
