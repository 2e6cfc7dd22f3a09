import MoEData
import Foundation
public import MoECore
import MoEModels
public import MoETensor
public import SystemPackage

/// The training of any kind of model in a folder: lock, record, data, model, checkpoint, and the run itself.
///
///     FOLDER/run.json                 what was asked for, versions, commit
///     FOLDER/metrics.csv, routing.csv, evaluation.csv, tensorboard/
///     what the recipe of the model adds, such as tokenizer.json and data/
///     and what ``TrainingRun`` writes
public final class TrainingSession {
  /// Size of model and data in one line.
  public let headline: String
  /// What is counted for the speed, in the plural: tokens, images, texts.
  public let unit: String
  /// Step from which the run continues; 0 for a new one.
  public let firstStep: Int
  /// Steps in all.
  public let steps: Int
  /// What the user should know before it starts.
  public let notices: [String]
  private let run: any RunnableTraining
  private let lock: FolderLock

  /// Prepares a run.
  ///
  /// - Parameters:
  ///   - configuration: What is asked for.
  ///   - folder: Where everything is written; created if it does not exist.
  ///   - resumes: Whether a run in the folder is continued.
  ///   - device: Where to compute.
  ///   - versions: Versions of the program's parts by name, for the record.
  ///   - progress: Told how far the preparation has come.
  /// - Throws: One clear error for anything that is wrong; an older run in the folder is as it was then.
  public init(
    _ configuration: TrainingConfiguration, in folder: FilePath, resumes: Bool,
    device: Device = .cpu, versions: [String: String] = [:],
    progress: @escaping ProgressHandler = { _ in }
  ) throws {
    let device = try device.checked()
    try configuration.recipe.checkFiles()
    let isNew = folder.isMissing
    try folder.createFolders()
    lock = try FolderLock(folder)
    var notices: [String] = []
    let opened: Opened
    do {
      try Self.prepare(folder, configuration, resumes: resumes, versions, &notices)
      opened = try Self.open(
        configuration.recipe, configuration.shared, in: folder, device: device, progress: progress)
    } catch {
      // Nothing of a run that never began; a folder that was there keeps what is in it.
      if isNew { try? FileManager.default.removeItem(atPath: folder.string) }
      throw error
    }
    (run, headline, unit, firstStep) = (opened.run, opened.headline, opened.unit, opened.firstStep)
    self.notices = notices + opened.notices
    steps = configuration.shared.steps
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
    try run.run(shouldStop: shouldStop, observer: observer)
  }

  /// Checks what the folder holds, and writes the record of a new run.
  private static func prepare(
    _ folder: FilePath, _ configuration: TrainingConfiguration, resumes: Bool,
    _ versions: [String: String], _ notices: inout [String]
  ) throws {
    let path = folder.appending("run.json")
    let store = CheckpointStore(folder.appending("checkpoints"))
    let hasBegun = !store.steps().isEmpty || !folder.appending("metrics.csv").isMissing
    let record = RunRecord(configuration, versions: versions)
    if resumes, !path.isMissing {
      let old = try RunRecord.read(path)
      let differences = old.differences(from: configuration.resolved)
      guard differences.isEmpty else {
        throw TrainingError.otherConfiguration(path: folder, differences: differences)
      }
      if old.threads != record.threads {
        notices.append(
          "the run used \(old.threads) threads, now \(record.threads): losses will differ in their last bits"
        )
      }
    } else {
      guard !hasBegun else { throw TrainingError.runExists(path: folder) }
      // Left by a run that never got to its first step.
      for name in ["tokenizer.json", "data"] {
        try? FileManager.default.removeItem(atPath: folder.appending(name).string)
      }
      try record.write(to: path)
    }
    for part in [folder] + ["data", "checkpoints", "snapshots"].map({ folder.appending($0) }) {
      Leftovers.remove(in: part)
    }
  }

  /// A run without the type of its task.
  private struct Opened {
    var run: any RunnableTraining
    var headline: String
    var unit: String
    var firstStep: Int
    var notices: [String]
  }

  private static func open<Recipe: TrainingRecipe>(
    _ recipe: Recipe, _ shared: SharedSettings, in folder: FilePath, device: Device,
    progress: @escaping ProgressHandler
  ) throws -> Opened {
    let prepared = try recipe.prepare(in: folder, device: device, progress: progress)
    var notices = prepared.notices
    let loop = try TrainingLoop(prepared.task, settings: shared.loop)
    let firstStep = try restore(loop, from: folder, examples: prepared.examples, &notices)
    let tensorBoard = folder.appending("tensorboard")
    try tensorBoard.createFolders()
    let interval = shared.intervals.routing
    let run = try TrainingRun(
      loop, in: folder, steps: shared.steps, intervals: shared.intervals,
      sinks: [
        CSVLog(folder, continuingAfter: firstStep, routingInterval: interval),
        TensorBoardLog(tensorBoard, continuingAfter: firstStep, routingInterval: interval),
      ])
    return Opened(
      run: run, headline: prepared.headline, unit: prepared.unit, firstStep: firstStep,
      notices: notices)
  }

  /// Continues from the newest checkpoint, if there is one; returns its step.
  private static func restore<Task: TrainingTask>(
    _ loop: TrainingLoop<Task>, from folder: FilePath, examples: Int, _ notices: inout [String]
  ) throws -> Int {
    guard let found = try CheckpointStore(folder.appending("checkpoints")).newest() else {
      return 0
    }
    notices += found.refused.map { "passed over a newer checkpoint: \($0)" }
    guard found.state.position.index <= examples, found.seed == loop.settings.seed else {
      throw TrainingError.invalidCheckpoint(
        path: found.path, problem: "it belongs to other data or another seed")
    }
    try loop.restore(found.state)
    return found.state.step
  }
}

@available(*, unavailable)
extension TrainingSession: Sendable {}

/// A ``TrainingRun`` of any task.
private protocol RunnableTraining {
  func run(shouldStop: () -> Bool, observer: (TrainingEvent) -> Void) throws -> TrainingOutcome
}

extension TrainingRun: RunnableTraining {}
