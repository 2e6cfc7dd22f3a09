import Foundation
public import MoECore
public import MoEModels
public import MoETensor
public import SystemPackage

/// Prepares the training of a language model in a folder: lock, tokenizer, token files, model, checkpoint.
///
///     FOLDER/run.json                 what was asked for, versions, commit
///     FOLDER/tokenizer.json           copied or learned
///     FOLDER/data/*.safetensors       tokens
///     FOLDER/metrics.csv, routing.csv, evaluation.csv, tensorboard/
///     and what ``TrainingRun`` writes
public final class LanguageRun {
  /// What trains.
  public let training: TrainingRun<LanguageTask>
  /// The model.
  public let model: MoEDecoder
  /// Step from which the run continues; 0 for a new one.
  public let firstStep: Int
  /// Steps in all.
  public let steps: Int
  /// What the user should know before it starts.
  public let notices: [String]
  /// Windows in a pass over the data.
  public let windowCount: Int
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
    try LanguageData.check(configuration)
    try folder.createFolders()
    lock = try FolderLock(folder)
    var notices: [String] = []
    try Self.prepare(folder, configuration, resumes: resumes, versions, &notices)
    let data = try LanguageData(configuration, in: folder, progress: progress)
    let (model, files) = try NewModel.make(configuration, data: data, device: device)
    let task = try LanguageTask(
      model, windows: data.training, validation: data.validation,
      settings: Self.taskSettings(configuration, model), seed: configuration.seed, files: files,
      device: device)
    let loop = try TrainingLoop(task, settings: configuration.loop)
    firstStep = try Self.restore(loop, from: folder, windows: data.training.count, &notices)
    let tensorBoard = folder.appending("tensorboard")
    try tensorBoard.createFolders()
    let interval = configuration.intervals.routing
    training = try TrainingRun(
      loop, in: folder, steps: configuration.steps, intervals: configuration.intervals,
      sinks: [
        CSVLog(folder, continuingAfter: firstStep, routingInterval: interval),
        TensorBoardLog(tensorBoard, continuingAfter: firstStep, routingInterval: interval),
      ])
    if case .expertChoice = model.configuration.router {
      notices.append(
        "the router expert_choice sees later tokens; the loss of a language model with it is too good"
      )
    }
    (self.model, self.notices, steps) = (model, notices, configuration.steps)
    windowCount = data.training.count
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

  private static func taskSettings(
    _ configuration: TrainingConfiguration, _ model: MoEDecoder
  ) throws -> LanguageTask.Settings {
    guard !configuration.recomputes || model.canRecompute else {
      throw TrainingError.invalidSetting(
        key: "training.recompute", value: "true",
        expected: "false for a router that draws random numbers")
    }
    var settings = LanguageTask.Settings(batchSize: configuration.batchSize)
    settings.balance = configuration.balance ?? model.configuration.balanceCoefficient
    settings.balanceScope = configuration.balanceScope
    (settings.z, settings.biasRate) = (configuration.z, configuration.biasRate)
    settings.recomputes = configuration.recomputes
    settings.evaluationWindows = configuration.evaluationWindows
    return settings
  }

  /// Continues from the newest checkpoint, if there is one; returns its step.
  private static func restore(
    _ loop: TrainingLoop<LanguageTask>, from folder: FilePath, windows: Int,
    _ notices: inout [String]
  ) throws -> Int {
    guard let found = try CheckpointStore(folder.appending("checkpoints")).newest() else {
      return 0
    }
    notices += found.refused.map { "passed over a newer checkpoint: \($0)" }
    guard found.state.position.index <= windows, found.seed == loop.settings.seed else {
      throw TrainingError.invalidCheckpoint(
        path: found.path, problem: "it belongs to other data or another seed")
    }
    try loop.restore(found.state)
    return found.state.step
  }
}

@available(*, unavailable)
extension LanguageRun: Sendable {}
