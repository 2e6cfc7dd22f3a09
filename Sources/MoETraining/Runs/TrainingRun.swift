import Foundation
import MoECore
import MoEData
import MoEModels
import MoETensor
import SystemPackage

/// The training of any kind of model in a folder: steps, metrics, evaluations, checkpoints,
/// snapshots, and the final model.
///
///     FOLDER/metrics.csv, routing.csv, evaluation.csv, tensorboard/
///     FOLDER/checkpoints/step-NNNNNNNN/   to continue from; the newest is kept
///     FOLDER/snapshots/step-NNNNNNNN/     models for later study
///     FOLDER/evaluations/step-NNNNNNNN/   files that show the model, such as pictures
///     FOLDER/model/                       the result
///
/// It holds the lock of the folder while it exists.
public final class TrainingRun {
  /// Size of model and data in one line.
  public let headline: String
  /// The unit of the speed, in the plural: tokens, images, texts.
  public let unit: String
  /// Step after which the run continues; 0 for a new one.
  ///
  /// Sinks receive later steps again if an earlier attempt got past its newest checkpoint.
  public let firstStep: Int
  /// Total number of steps.
  public let steps: Int
  /// What the user should know before it starts.
  public let notices: [String]
  private let loop: any RunnableLoop
  private let folder: FilePath
  private let intervals: Intervals
  private let sinks: [any MetricsSink]
  private let store: CheckpointStore
  private let writer = BackgroundWriter()
  private let lock: FolderLock

  /// Locks a folder, creating it if it does not exist, and prepares a run in it, which continues
  /// from the newest checkpoint in it.
  ///
  /// - Parameters:
  ///   - folder: Where everything is written.
  ///   - settings: How each step is trained.
  ///   - steps: Total number of steps.
  ///   - intervals: When to evaluate and to write.
  ///   - resumes: Whether it is worth a notice that there is no checkpoint to continue from.
  ///   - sinks: Called after the built-in ones.
  ///   - prepare: Creates the task, or throws if the run must not start here; called when the
  ///     folder is locked.
  /// - Throws: What `prepare` throws; ``TrainingError``, `SettingError` or a `FileError`.
  init<Task: TrainingTask>(
    in folder: FilePath, settings: LoopSettings, steps: Int, intervals: Intervals, resumes: Bool,
    sinks: [any MetricsSink], prepare: () throws -> PreparedTask<Task>
  ) throws {
    (self.folder, self.steps, self.intervals) = (folder, steps, intervals)
    store = CheckpointStore(folder.appending("checkpoints"))
    let isNew = folder.isMissing
    try folder.createFolders()
    lock = try FolderLock(folder)
    do {
      let prepared = try prepare()
      (headline, unit) = (prepared.headline, prepared.unit)
      let loop = try TrainingLoop(prepared.task, settings: settings)
      var restored = try Self.restore(loop, from: store, of: prepared, steps: steps)
      if resumes, loop.step == 0 {
        restored.append(
          "there is nothing to resume in \(folder), as it has no checkpoint; a new run starts")
      }
      let lag = settings.averageLag(steps: steps).map { [$0] } ?? []
      (self.loop, firstStep) = (loop, loop.step)
      notices = prepared.notices + lag + restored
      self.sinks =
        try Self.logs(in: folder, after: loop.step, interval: intervals.routing) + sinks
      try store.folder.createFolders()
      try folder.appending("snapshots").createFolders()
    } catch {
      // Leave nothing of a run that never started; an existing folder keeps its files.
      if isNew { try? FileManager.default.removeItem(atPath: folder.string) }
      throw error
    }
  }

  /// Trains until all steps are complete or `shouldStop` returns true.
  ///
  /// - Parameters:
  ///   - shouldStop: Called before every step; if it returns true, a checkpoint is written and the
  ///     run stops.
  ///   - observer: Called for each event, on this thread.
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

  /// Starts to write a checkpoint, once the one before is complete.
  private func writeCheckpoint() throws {
    try writer.wait()
    let (store, seed) = (store, loop.settings.seed)
    let (state, files) = (loop.state.handedOver(), try loop.modelFiles())
    writer.start { try store.write(state.value, seed: seed, files: files) }
  }

  /// Starts to write a folder with the final form of the model.
  private func writeModel(to path: FilePath) throws {
    let files = try loop.modelFiles()
    let state = loop.withFinalWeights { loop.state.handedOver() }
    writer.start { try ModelFolder.write(state.value.model, files: files, to: path) }
  }

  /// Waits until the checkpoint of the last step is written.
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
    // The error is already known.
    try? writer.wait()
    var statistics: FilePath?
    if let step = error as? NonFiniteStep {
      let path = folder.appending("not-finite-step-\(step.step).csv")
      // The table helps, but failing to write it must not hide the cause.
      if (try? AtomicFile.write(step.table, to: path)) != nil { statistics = path }
    }
    return TrainingFailure(
      cause: error, checkpoint: store.steps().last.map(store.path), statistics: statistics)
  }
}

@available(*, unavailable)
extension TrainingRun: Sendable {}
