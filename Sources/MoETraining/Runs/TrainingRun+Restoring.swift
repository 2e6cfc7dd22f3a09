import MoECore
import MoEData
import MoEModels
import SystemPackage

extension TrainingRun {
  /// Continues from the newest checkpoint, if there is one.
  ///
  /// - Returns: What the user should know.
  static func restore<Task: TrainingTask>(
    _ loop: TrainingLoop<Task>, from store: CheckpointStore, of prepared: PreparedTask<Task>,
    steps: Int
  ) throws -> [String] {
    guard let found = try store.newest() else { return [] }
    try check(found, loop.settings, prepared, steps: steps)
    do { try loop.restore(found.state) } catch {
      throw TrainingError.invalidCheckpoint(path: found.path, problem: "\(error)")
    }
    let unverified =
      found.isUnverified
      ? [
        "\(found.path) is of an older version without a checksum of its state.json, whose step and position in the data are only checked for plausibility"
      ] : []
    return found.refused.map { "skipped a newer checkpoint: \($0)" } + unverified
  }

  /// Compares a checkpoint's state with the run that is to continue from it.
  private static func check<Task: TrainingTask>(
    _ found: CheckpointStore.Found, _ settings: LoopSettings, _ prepared: PreparedTask<Task>,
    steps: Int
  ) throws(TrainingError) {
    let state = found.state
    func invalid(_ problem: String) -> TrainingError {
      .invalidCheckpoint(path: found.path, problem: problem)
    }
    guard state.position.index <= prepared.examples ?? .max, found.seed == settings.seed else {
      throw invalid("it belongs to other data or another seed")
    }
    guard state.step <= steps else {
      throw invalid("it is of step \(state.step), but the run has only \(steps) steps")
    }
    guard state.idle.isPossible(afterSteps: state.step) else {
      throw invalid("its experts were without tokens for more steps than there were")
    }
    guard let consumption = prepared.consumption else { return }
    let expected = consumption.position(afterBatches: state.step * settings.accumulation)
    guard state.position == expected else {
      throw invalid(
        "after step \(state.step) the data are at example \(expected.index) of pass \(expected.epoch), but its state.json says \(state.position.index) of pass \(state.position.epoch)"
      )
    }
  }

  /// The sinks of every run.
  static func logs(
    in folder: FilePath, after step: Int, interval: Int
  ) throws -> [any MetricsSink] {
    let tensorBoard = folder.appending("tensorboard")
    try tensorBoard.createFolders()
    return [
      try CSVLog(folder, continuingAfter: step, routingInterval: interval),
      try TensorBoardLog(tensorBoard, continuingAfter: step, routingInterval: interval),
    ]
  }
}

extension LoopSettings {
  /// Says that a run is too short for its running average, if it is.
  func averageLag(steps: Int) -> String? {
    guard let average else { return nil }
    let rest = ExponentialMovingAverage.remainder(
      steps: steps, decay: average, warmsUp: averageWarmsUp)
    guard rest > 0.02 else { return nil }
    return
      "after \(steps) steps the running average, which evaluations and the final model use, still holds \(NumberText.percent(rest)) of the weights before training; let it warm up, or lower training.average"
  }
}
