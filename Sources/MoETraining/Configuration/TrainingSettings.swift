public import MoECore
import MoEModels
import MoETensor
public import SystemPackage

/// The part of a configuration that is the same for every kind of model: steps, precision, optimizer, intervals.
///
/// It comes from the ``sections`` of a ``TrainingConfiguration``; a ``TrainingRecipe`` receives it
/// together with the rest of the file.
public struct TrainingSettings: Sendable {
  /// The file, for messages.
  public let path: FilePath
  /// Number of steps, at least 1.
  public let steps: Int
  /// Windows, images or texts in a micro-batch, at least 1.
  public let batchSize: Int
  /// Data type to compute in: `f32` or `bf16`.
  public let dtype: DType
  /// Whether layers are recomputed in the backward pass.
  public let recomputes: Bool
  /// How each step is trained.
  public let loop: LoopSettings
  /// When the run evaluates and writes.
  public let intervals: TrainingRun.Intervals

  /// Determines all random numbers.
  public var seed: UInt64 { loop.seed }

  /// Root keys that every kind of model has.
  public static let sections = [
    "task", "training", "optimizer", "schedule", "checkpoints", "log",
  ]

  /// Reads and checks the shared sections.
  init(_ json: ConfigurationObject) throws {
    path = json.path
    let training = try json.section(
      "training",
      [
        "steps", "batch_size", "accumulation", "precision", "seed", "recompute", "clip",
        "fused_update", "average", "average_warmup",
      ])
    steps = try training.int("steps", in: 1...1_000_000_000)
    batchSize = try training.int("batch_size", in: 1...(1 << 16))
    recomputes = try training.optionalBool("recompute") ?? false
    dtype = try Self.dtype(training)
    loop = try LoopSettings(json, training, steps: steps)
    intervals = try TrainingRun.Intervals(json, steps: steps)
  }

  private enum Precision: String, CaseIterable { case f32, bf16, auto }

  private static func dtype(_ training: ConfigurationObject) throws -> DType {
    let precision: Precision = training.has("precision") ? try training.choice("precision") : .f32
    return switch precision {
    case .f32: .f32
    case .bf16: .bf16
    case .auto: hasBF16 ? .bf16 : .f32
    }
  }

  /// Whether this processor multiplies bf16 in hardware, whichever kernels are used: other kernels
  /// must not change what a run computes.
  private static var hasBF16: Bool {
    Engine.processorFeatures.contains { $0 == "AVX512-BF16" || $0 == "AMX-TILE" }
  }
}

extension LoopSettings {
  /// Reads `optimizer`, `schedule`, and what `training` says about the loop.
  fileprivate init(
    _ json: ConfigurationObject, _ training: ConfigurationObject, steps: Int
  ) throws {
    let accumulation = try training.optionalInt("accumulation", in: 1...(1 << 16)) ?? 1
    let seed = UInt64(try training.optionalInt("seed", in: 0...(1 << 53)) ?? 0)
    let clip = try training.optionalAmount("clip") ?? 1
    let fusesUpdates = try training.optionalBool("fused_update") ?? false
    let average = try training.fraction("average")
    let averageWarmsUp = try training.optionalBool("average_warmup")
    guard average != nil || averageWarmsUp == nil else {
      throw training.invalid("average_warmup", "absent without training.average")
    }
    let optimizer = try json.section(
      "optimizer", ["learning_rate", "beta1", "beta2", "epsilon", "weight_decay"])
    let rate = try optimizer.number("learning_rate")
    self = try json.renaming(Self.keys) {
      try LoopSettings(
        accumulation: accumulation,
        schedule: LearningRateSchedule(json, peak: rate, steps: steps),
        optimizer: AdamWSettings(
          beta1: try optimizer.optionalAmount("beta1") ?? 0.9,
          beta2: try optimizer.optionalAmount("beta2") ?? 0.95,
          epsilon: try optimizer.optionalNumber("epsilon") ?? 1e-8,
          weightDecay: try optimizer.optionalAmount("weight_decay") ?? 0.1),
        // In the file, 0 means no limit.
        clip: clip == 0 ? .infinity : clip, fusesUpdates: fusesUpdates, average: average,
        averageWarmsUp: averageWarmsUp ?? true, seed: seed)
    }
  }

  /// Keys of the file by the settings' names.
  private static let keys = [
    "beta1": "optimizer.beta1", "beta2": "optimizer.beta2", "epsilon": "optimizer.epsilon",
    "weightDecay": "optimizer.weight_decay", "peak": "optimizer.learning_rate",
    "final": "schedule.final_share", "warmupSteps": "schedule.warmup_steps",
    "totalSteps": "schedule.steps", "accumulation": "training.accumulation",
    "clip": "training.clip",
  ]
}

extension LearningRateSchedule {
  /// Reads `schedule`, for a run of `steps` steps.
  fileprivate init(_ json: ConfigurationObject, peak: Double, steps: Int) throws {
    let schedule = try json.section("schedule", ["warmup_steps", "decay", "final_share", "steps"])
    let total = try schedule.optionalInt("steps", in: 1...1_000_000_000) ?? steps
    let warmup = try schedule.optionalInt("warmup_steps", in: 0...1_000_000_000)
    guard warmup ?? 0 <= total else {
      throw schedule.invalid("warmup_steps", "at most the steps of the schedule (\(total))")
    }
    try self.init(
      peak: peak, final: peak * (try schedule.fraction("final_share") ?? 0.1),
      warmupSteps: warmup ?? min(100, total / 10), totalSteps: total,
      decay: schedule.has("decay") ? try schedule.choice("decay") : .cosine)
  }
}

extension TrainingRun.Intervals {
  /// Reads `checkpoints`, `log`, and `every` of `evaluation`.
  fileprivate init(_ json: ConfigurationObject, steps: Int) throws {
    let range = 1...1_000_000_000
    // Each kind of model has more keys here and rejects unknown ones itself.
    let evaluation = try json.optionalObject("evaluation") ?? json.section("evaluation", [])
    let checkpoints = try json.section("checkpoints", ["every", "snapshots"])
    let log = try json.section("log", ["routing_every"])
    try self.init(
      evaluation: try evaluation.optionalInt("every", in: range) ?? max(1, steps / 20),
      checkpoint: try checkpoints.optionalInt("every", in: range) ?? max(1, steps / 10),
      snapshots: Set(try checkpoints.ints("snapshots", in: range)),
      routing: try log.optionalInt("routing_every", in: range) ?? 10)
  }
}
