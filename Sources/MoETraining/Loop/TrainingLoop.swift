public import MoEData
public import MoEModels
public import MoECore
public import MoETensor

/// Trains a model of any kind, step by step.
///
///     for each micro-batch:  loss, gradients        averaged over the micro-batches
///     stop if anything is not finite
///     clip → AdamW at the step's learning rate → running average of the weights
///
/// With ``LoopSettings/fusesUpdates`` the same happens weight by weight, within the backward pass.
///
/// Everything random depends on the seed and the step, and the data on its position, so a loop that continues from
/// ``state`` gives the same losses, bit for bit, as one that was never stopped, on the same machine with the same
/// number of threads.
public final class TrainingLoop<Task: TrainingTask> {
  /// What is trained.
  public let task: Task
  /// How.
  public let settings: LoopSettings
  /// Completed steps.
  public private(set) var step = 0
  let optimizer: AdamW
  private let average: ExponentialMovingAverage?
  private var idle = IdleExperts()

  /// Prepares to train from the task's current weights.
  ///
  /// - Throws: `SettingError` for a decay of the average that is out of range.
  public init(_ task: Task, settings: LoopSettings) throws(SettingError) {
    (self.task, self.settings) = (task, settings)
    optimizer = AdamW(task.weights, settings: settings.optimizer)
    average =
      if let decay = settings.average {
        try ExponentialMovingAverage(
          task.weights, decay: decay, warmsUp: settings.averageWarmsUp)
      } else { nil }
  }

  /// Trains one step.
  ///
  /// - Returns: Its measurements.
  /// - Throws: ``NonFiniteStep`` when a loss or gradient is not finite, or what the task throws. The weights are then as
  ///   they were before the step; but with ``LoopSettings/fusesUpdates`` and no limit of the norm, or when the task
  ///   fails in the backward pass, some may have changed, and the loop must not go on.
  public func advance() throws -> StepMetrics {
    do { return try trainedStep() } catch {
      task.stepAbandoned()
      throw error
    }
  }

  private func trainedStep() throws -> StepMetrics {
    let clock = ContinuousClock()
    let start = clock.now
    let epoch = task.position.epoch
    let rate = settings.schedule.rate(at: step)
    let (record, norm) =
      settings.fusesUpdates ? try fusedUpdate(rate: rate) : try collectedUpdate(rate: rate)
    average?.update(step: step)
    let routing = record.routing
    task.stepEnded(routing: routing)
    let died = idle.take(routing)
    step += 1
    return StepMetrics(
      step: step, epoch: epoch, units: record.units, loss: record.loss, parts: record.parts,
      learningRate: rate, gradientNorm: norm, routing: routing, died: died,
      deadCount: idle.dead.count, seconds: (clock.now - start) / .seconds(1))
  }

  /// Updates the weights from all gradients at once; returns the measurements and the gradients'
  /// norm.
  private func collectedUpdate(rate: Double) throws -> (StepRecord, norm: Double) {
    var record = StepRecord()
    var gradients: [Tensor] = []
    for number in 0..<settings.accumulation {
      let found = try differentiate(try task.nextBatch(), number, &record)
      gradients = gradients.isEmpty ? found : Self.added(gradients, found)
    }
    let limited = clipped(gradients, maximumNorm: settings.clip)
    guard record.loss.isFinite, limited.norm.isFinite else {
      throw NonFiniteStep(
        step: step + 1, loss: record.loss, gradientNorm: limited.norm, parts: record.parts,
        tensors: TensorStatistics.all(task.weights, gradients: gradients), routing: record.routing)
    }
    optimizer.update(gradients: limited.gradients, learningRate: rate)
    return (record, limited.norm)
  }

  /// The gradients of one micro-batch, scaled by its fraction of the step.
  private func differentiate(
    _ batch: Task.Batch, _ number: Int, _ record: inout StepRecord
  ) throws -> [Tensor] {
    let random = random(batch: number)
    var loss: TaskLoss?
    let share = 1 / Double(settings.accumulation)
    let result = try valueAndGradients(
      of: {
        let found = try task.loss(batch, random: random)
        loss = found
        return share == 1 ? found.total : found.total * share
      }, for: task.weights.map(\.parameter))
    if let loss { record.take(loss, total: result.value, share: share) }
    return result.gradients
  }

  private static func added(_ sums: [Tensor], _ gradients: [Tensor]) -> [Tensor] {
    zip(sums, gradients).map { sum, gradient in
      // Summing many bf16 values in bf16 would lose precision.
      sum.dtype.byteSize < 4
        ? sum.cast(to: .f32) + gradient.cast(to: .f32)
        : sum + gradient.cast(to: sum.dtype)
    }
  }

  /// Random numbers for a micro-batch of the current step.
  func random(batch: Int) -> RandomSource {
    var generator = SeededGenerator(
      seed: settings.seed &+ UInt64(step) &* 0xD1B5_4A32_D192_ED03
        &+ UInt64(batch) &* 0x9E37_79B9_7F4A_7C15)
    return RandomSource(seed: generator.next())
  }

  /// Evaluates the model and collects its files, with the averaged weights if there are any.
  public func evaluate() throws -> (results: [NamedValue], files: [ModelFile]) {
    try withFinalWeights {
      try withoutGradients { (try task.evaluate(), try task.evaluationFiles()) }
    }
  }

  /// Runs `body` with the weights of the final model: the averages, if there are any.
  ///
  /// - Returns: What `body` returns.
  /// - Throws: What `body` throws.
  public func withFinalWeights<Result>(_ body: () throws -> Result) rethrows -> Result {
    guard let average else { return try body() }
    return try average.withAverages(body)
  }
}

@available(*, unavailable)
extension TrainingLoop: Sendable {}

// MARK: State

/// Everything that a ``TrainingLoop`` needs to continue, besides its settings.
public struct LoopState {
  /// Completed steps.
  public var step: Int
  /// The next position in the data.
  public var position: DataPosition
  /// Experts without tokens.
  public var idle: IdleExperts
  /// Weights and buffers of the model.
  public var model: [NamedTensor]
  /// State of the optimizer, and the averages as `NAME.average`.
  public var optimizer: [NamedTensor]

  /// A tensor and its name.
  public struct NamedTensor {
    /// The name.
    public var name: String
    /// The elements.
    public var tensor: Tensor
  }
}

extension TrainingLoop {
  /// The current state; later steps do not change its tensors.
  ///
  /// - Complexity: Nothing is copied now; weights that change while the state exists are copied then.
  public var state: LoopState {
    var optimizer = self.optimizer.state
    for (name, value) in average?.state ?? [:] { optimizer[name + ".average"] = value }
    return LoopState(
      step: step, position: task.position, idle: idle,
      model: (task.weights + task.buffers).map { .init(name: $0.name, tensor: $0.parameter.value) },
      optimizer: optimizer.sorted { $0.key < $1.key }.map { .init(name: $0.key, tensor: $0.value) })
  }

  /// Continues from a state.
  ///
  /// - Throws: ``TrainingError/invalidOptimizerState(message:)`` when it belongs to another model.
  public func restore(_ state: LoopState) throws(TrainingError) {
    let saved = Dictionary(state.model.map { ($0.name, $0.tensor) }) { first, _ in first }
    let own = task.weights + task.buffers
    for named in own {
      let value = named.parameter.value
      guard let tensor = saved[named.name], tensor.shape == value.shape,
        tensor.dtype == value.dtype
      else {
        throw .invalidOptimizerState(
          message: "no weight '\(named.name)' of type \(value.dtype) and shape \(value.shape)")
      }
    }
    var moments: [String: Tensor] = [:]
    var averages: [String: Tensor] = [:]
    for entry in state.optimizer {
      // Names of weights never end like this, so the suffix is unambiguous.
      if entry.name.hasSuffix(".average") {
        averages[String(entry.name.dropLast(".average".count))] = entry.tensor
      } else {
        moments[entry.name] = entry.tensor
      }
    }
    try optimizer.restore(moments, step: state.step)
    try average?.restore(averages)
    for named in own { saved[named.name].map(named.parameter.assign) }
    (step, task.position, idle) = (state.step, state.position, state.idle)
  }
}
