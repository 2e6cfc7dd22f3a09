import MoECore
import MoETensor
import SystemPackage

/// Trains a model of any kind in a folder: steps, evaluations, checkpoints, snapshots, and the model at the end.
///
///     FOLDER/checkpoints/step-NNNNNNNN/   to continue from; the newest is kept
///     FOLDER/snapshots/step-NNNNNNNN/     models for later study
///     FOLDER/evaluations/step-NNNNNNNN/   files that show the model, such as pictures
///     FOLDER/model/                       the result
public final class TrainingRun<Task: TrainingTask> {
  /// What trains.
  public let loop: TrainingLoop<Task>
  private let folder: FilePath
  private let steps: Int
  private let intervals: RunIntervals
  private let sinks: [any MetricsSink]
  private let store: CheckpointStore
  private let writer = BackgroundWriter()

  /// Prepares a run in an existing folder that nobody else uses.
  init(
    _ loop: TrainingLoop<Task>, in folder: FilePath, steps: Int, intervals: RunIntervals,
    sinks: [any MetricsSink]
  ) throws {
    (self.loop, self.folder, self.steps) = (loop, folder, steps)
    (self.intervals, self.sinks) = (intervals, sinks)
    store = CheckpointStore(folder.appending("checkpoints"))
    try store.folder.createFolders()
    try folder.appending("snapshots").createFolders()
  }

  /// Trains until all steps are done or somebody wants to stop.
  ///
  /// - Parameters:
  ///   - shouldStop: Asked before every step; a checkpoint is written if it says so.
  ///   - observer: Told what happens, on this thread.
  /// - Returns: How the run ended.
  /// - Throws: ``TrainingFailure``.
  public func run(
    shouldStop: () -> Bool = { false }, observer: (TrainingEvent) -> Void = { _ in }
  ) throws -> TrainingOutcome {
    do {
      while loop.step < steps {
        if shouldStop() { return try stop() }
        try advance(observer)
        try writer.check()
      }
      return try finish()
    } catch {
      throw failure(error)
    }
  }

  private func advance(_ observer: (TrainingEvent) -> Void) throws {
    let metrics = try loop.advance()
    let step = metrics.step
    for sink in sinks { try sink.record(metrics) }
    observer(.step(metrics))
    if !metrics.died.isEmpty { observer(.expertsDied(metrics.died, step: step)) }
    if step == steps || intervals.evaluation.map(step.isMultiple) ?? false {
      try evaluate(observer)
    }
    if intervals.snapshots.contains(step) {
      try writeModel(
        to: folder.appending("snapshots").appending(CheckpointStore.name(ofStep: step)))
    }
    if step.isMultiple(of: intervals.checkpoint), step < steps {
      observer(.checkpoint(step: step))
      try writeCheckpoint()
    }
  }

  private func evaluate(_ observer: (TrainingEvent) -> Void) throws {
    let (results, files) = try loop.evaluate()
    if !results.isEmpty {
      for sink in sinks { try sink.record(evaluation: results, step: loop.step) }
      observer(.evaluated(results, step: loop.step))
    }
    guard !files.isEmpty else { return }
    let path = folder.appending("evaluations").appending(CheckpointStore.name(ofStep: loop.step))
    try path.createFolders()
    for file in files {
      try ModelFolder.write(file, into: path)
    }
  }

  /// Begins to write a checkpoint, when the one before is done.
  private func writeCheckpoint() throws {
    try writer.wait()
    let (store, seed) = (store, loop.settings.seed)
    let (state, files) = (loop.state.handedOver(), try loop.task.modelFiles())
    writer.start { try store.write(state.value, seed: seed, files: files) }
  }

  /// Begins to write a folder with the model as it is to be used.
  private func writeModel(to path: FilePath) throws {
    let files = try loop.task.modelFiles()
    let state = loop.withFinalWeights { loop.state.handedOver() }
    writer.start { try ModelFolder.write(state.value.model, files: files, to: path) }
  }

  /// Waits until there is a checkpoint of the last step.
  private func completeCheckpoint() throws {
    try writer.wait()
    if !store.steps().contains(loop.step) { try writeCheckpoint() }
    try writer.wait()
  }

  private func stop() throws -> TrainingOutcome {
    let path = store.path(ofStep: loop.step)
    try completeCheckpoint()
    return .stopped(checkpoint: path, step: loop.step)
  }

  private func finish() throws -> TrainingOutcome {
    try completeCheckpoint()
    let path = folder.appending("model")
    try writeModel(to: path)
    try writer.wait()
    return .finished(model: path)
  }

  private func failure(_ error: any Error) -> TrainingFailure {
    // What failed is known already.
    try? writer.wait()
    var statistics: FilePath?
    if let step = error as? NonFiniteStep {
      let path = folder.appending("not-finite-step-\(step.step).csv")
      // The table helps, but its lack must not hide the cause.
      if (try? AtomicFile.write(step.table, to: path)) != nil { statistics = path }
    }
    return TrainingFailure(
      cause: error, checkpoint: store.steps().last.map(store.path), statistics: statistics)
  }
}

@available(*, unavailable)
extension TrainingRun: Sendable {}
