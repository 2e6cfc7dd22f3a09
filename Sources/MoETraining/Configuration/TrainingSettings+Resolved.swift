import MoECore
import MoEModels

extension TrainingSettings {
  /// What was given in the shared sections, with all defaults, by section and key.
  var resolved: [String: JSONObject] {
    [
      "training": training, "optimizer": loop.optimizerSection, "schedule": loop.scheduleSection,
      "evaluation": ["every": .number(Double(intervals.evaluation ?? 0))],
      "checkpoints": ["every": .number(Double(intervals.checkpoint))],
    ]
  }

  private var training: JSONObject {
    [
      "steps": .number(Double(steps)), "batch_size": .number(Double(batchSize)),
      "accumulation": .number(Double(loop.accumulation)), "precision": .string(dtype.rawValue),
      "seed": .number(Double(seed)), "recompute": .bool(recomputes),
      "clip": .number(loop.clip.isFinite ? loop.clip : 0),
      "fused_update": .bool(loop.fusesUpdates),
      "average": loop.average.map { .number($0) } ?? .null,
      "average_warmup": loop.average == nil ? .null : .bool(loop.averageWarmsUp),
    ]
  }
}

extension LoopSettings {
  fileprivate var optimizerSection: JSONObject {
    [
      "learning_rate": .number(schedule.peak), "beta1": .number(optimizer.beta1),
      "beta2": .number(optimizer.beta2), "epsilon": .number(optimizer.epsilon),
      "weight_decay": .number(optimizer.weightDecay),
    ]
  }

  fileprivate var scheduleSection: JSONObject {
    [
      "warmup_steps": .number(Double(schedule.warmupSteps)),
      "decay": .string(schedule.decay.rawValue),
      "final_share": .number(schedule.final / schedule.peak),
      "steps": .number(Double(schedule.totalSteps)),
    ]
  }
}
