import MoECore
import MoEModels
import MoETensor
import SystemPackage

/// The section `training`.
struct TrainingSection {
  let steps: Int
  let batchSize: Int
  let accumulation: Int
  let dtype: DType
  let seed: UInt64
  let recomputes: Bool
  /// Largest norm of the gradients; infinite for 0 in the file.
  let clip: Double
  let fusesUpdates: Bool
  let average: Double?

  private enum Precision: String, CaseIterable { case f32, bf16, auto }

  init(_ json: ConfigurationObject) throws {
    let object = try json.section(
      "training",
      [
        "steps", "batch_size", "accumulation", "precision", "seed", "recompute", "clip",
        "fused_update", "average",
      ])
    steps = try object.int("steps", in: 1...1_000_000_000)
    batchSize = try object.int("batch_size", in: 1...(1 << 16))
    accumulation = try object.optionalInt("accumulation", in: 1...(1 << 16)) ?? 1
    seed = UInt64(try object.optionalInt("seed", in: 0...(1 << 53)) ?? 0)
    recomputes = try object.optionalBool("recompute") ?? false
    let clip = try object.optionalAmount("clip") ?? 1
    self.clip = clip == 0 ? .infinity : clip
    fusesUpdates = try object.optionalBool("fused_update") ?? false
    average = try object.share("average")
    let precision: Precision = object.has("precision") ? try object.choice("precision") : .f32
    dtype =
      switch precision {
      case .f32: .f32
      case .bf16: .bf16
      case .auto: Self.hasBF16 ? .bf16 : .f32
      }
  }

  /// Whether this processor multiplies bf16 in hardware.
  private static var hasBF16: Bool {
    Engine.processorFeatures.contains { $0 == "AVX512-BF16" || $0 == "AMX-TILE" }
  }

  /// The loop's settings, with those of the sections `optimizer` and `schedule`.
  func loop(_ json: ConfigurationObject) throws -> LoopSettings {
    let optimizer = try json.section(
      "optimizer", ["learning_rate", "beta1", "beta2", "epsilon", "weight_decay"])
    let schedule = try json.section("schedule", ["warmup_steps", "decay", "final_share", "steps"])
    let rate = try optimizer.number("learning_rate")
    let total = try schedule.optionalInt("steps", in: 1...1_000_000_000) ?? steps
    let warmup = try schedule.optionalInt("warmup_steps", in: 0...1_000_000_000)
    guard warmup ?? 0 <= total else {
      throw schedule.invalid("warmup_steps", "at most the steps of the schedule (\(total))")
    }
    let names = [
      "beta1": "optimizer.beta1", "beta2": "optimizer.beta2", "epsilon": "optimizer.epsilon",
      "weightDecay": "optimizer.weight_decay", "peak": "optimizer.learning_rate",
      "final": "schedule.final_share", "warmupSteps": "schedule.warmup_steps",
      "totalSteps": "schedule.steps",
      "accumulation": "training.accumulation",
    ]
    return try json.renaming(names) {
      try LoopSettings(
        accumulation: accumulation,
        schedule: LearningRateSchedule(
          peak: rate, final: rate * (try schedule.share("final_share") ?? 0.1),
          warmupSteps: warmup ?? min(100, total / 10),
          totalSteps: total,
          decay: schedule.has("decay") ? try schedule.choice("decay") : .cosine),
        optimizer: AdamWSettings(
          beta1: try optimizer.optionalAmount("beta1") ?? 0.9,
          beta2: try optimizer.optionalAmount("beta2") ?? 0.95,
          epsilon: try optimizer.optionalNumber("epsilon") ?? 1e-8,
          weightDecay: try optimizer.optionalAmount("weight_decay") ?? 0.1),
        maximumNorm: clip, fusesUpdates: fusesUpdates, averageDecay: average, seed: seed)
    }
  }

  var resolved: [String: ConfigurationObject.Value] {
    [
      "steps": .number(Double(steps)), "batch_size": .number(Double(batchSize)),
      "accumulation": .number(Double(accumulation)), "precision": .string(dtype.rawValue),
      "seed": .number(Double(seed)), "recompute": .bool(recomputes),
      "clip": .number(clip.isFinite ? clip : 0), "fused_update": .bool(fusesUpdates),
      "average": average.map { .number($0) } ?? .null,
    ]
  }
}

extension LoopSettings {
  var resolvedOptimizer: [String: ConfigurationObject.Value] {
    [
      "learning_rate": .number(schedule.peak), "beta1": .number(optimizer.beta1),
      "beta2": .number(optimizer.beta2), "epsilon": .number(optimizer.epsilon),
      "weight_decay": .number(optimizer.weightDecay),
    ]
  }

  var resolvedSchedule: [String: ConfigurationObject.Value] {
    [
      "warmup_steps": .number(Double(schedule.warmupSteps)),
      "decay": .string(schedule.decay.rawValue),
      "final_share": .number(schedule.final / schedule.peak),
      "steps": .number(Double(schedule.totalSteps)),
    ]
  }
}

/// When a run does what, in steps.
struct RunIntervals: Hashable, Sendable {
  /// Steps between evaluations; `nil` for none but the last.
  var evaluation: Int?
  /// Steps between checkpoints.
  var checkpoint: Int
  /// Steps after which the model is kept for good.
  var snapshots: Set<Int>
  /// Steps between rows about single layers.
  var routing: Int

  /// States intervals.
  init(evaluation: Int? = nil, checkpoint: Int, snapshots: Set<Int> = [], routing: Int = 10) {
    (self.evaluation, self.checkpoint) = (evaluation, checkpoint)
    (self.snapshots, self.routing) = (snapshots, routing)
  }

  init(_ json: ConfigurationObject, steps: Int) throws {
    let range = 1...1_000_000_000
    // Each kind of model has more keys here, and refuses others.
    let evaluation = try json.optionalObject("evaluation") ?? json.section("evaluation", [])
    let checkpoints = try json.section("checkpoints", ["every", "snapshots"])
    let log = try json.section("log", ["routing_every"])
    self.init(
      evaluation: try evaluation.optionalInt("every", in: range) ?? max(1, steps / 20),
      checkpoint: try checkpoints.optionalInt("every", in: range) ?? max(1, steps / 10),
      snapshots: Set(try checkpoints.ints("snapshots", in: range)),
      routing: try log.optionalInt("routing_every", in: range) ?? 10)
  }
}
