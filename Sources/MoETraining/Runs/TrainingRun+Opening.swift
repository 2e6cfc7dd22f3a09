import Foundation
public import MoECore
import MoEModels
public import MoETensor
public import SystemPackage

extension TrainingRun {
  /// Prepares the run of a configuration.
  ///
  /// Besides the files of every run, the folder contains `run.json`, which records the
  /// configuration, versions and commit, and files that the recipe adds, such as `tokenizer.json`
  /// and `data/`.
  ///
  /// - Parameters:
  ///   - configuration: The configuration.
  ///   - folder: Where everything is written; created if it does not exist.
  ///   - resumes: Whether a run in the folder is continued from its newest checkpoint. If there is
  ///     none, a run is started, and a notice says so.
  ///   - device: Where to compute.
  ///   - versions: Versions of the program's parts by name, for the record.
  ///   - sinks: Called in this order for every step and evaluation, after the tables and
  ///     TensorBoard's files were written.
  ///   - progress: Called as the preparation advances.
  /// - Throws: An error for anything that is wrong, ``TrainingError`` for a folder that contains
  ///   another run; an older run in the folder is then unchanged.
  public convenience init(
    _ configuration: TrainingConfiguration, in folder: FilePath, resumes: Bool = false,
    device: Device = .cpu, versions: [String: String] = [:], sinks: [any MetricsSink] = [],
    progress: @escaping ProgressHandler = { _ in }
  ) throws {
    let device = try device.checked()
    try configuration.recipe.checkFiles()
    try self.init(
      configuration.recipe, configuration.settings, in: folder, resumes: resumes, sinks: sinks,
      device: device, progress: progress
    ) { try Self.record(configuration, versions, in: folder, resumes: resumes) }
  }

  /// Prepares the training of a task without a configuration.
  ///
  /// There is no `run.json`, so it is not detected when a run continues with different settings.
  ///
  /// - Parameters:
  ///   - task: What is trained, from its current weights unless a run is continued.
  ///   - settings: How each step is trained; a run that continues needs the same to give the same
  ///     losses.
  ///   - steps: Total number of steps, including those of the run that is continued.
  ///   - intervals: When to evaluate and to write.
  ///   - folder: Where everything is written; created if it does not exist.
  ///   - resumes: Whether a run in the folder is continued from its newest checkpoint. If there is
  ///     none, a run is started, and a notice says so.
  ///   - examples: Examples in one pass over the data, if known; a checkpoint beyond them is
  ///     rejected.
  ///   - sinks: Called in this order for every step and evaluation, after the tables and
  ///     TensorBoard's files were written.
  /// - Throws: ``TrainingError`` for a folder that contains another run; an older run in the folder
  ///   is then unchanged. `SettingError` for settings out of range; a `FileError`.
  public convenience init<Task: TrainingTask>(
    _ task: Task, settings: LoopSettings, steps: Int, intervals: Intervals, in folder: FilePath,
    resumes: Bool = false, examples: Int? = nil, sinks: [any MetricsSink] = []
  ) throws {
    try self.init(
      in: folder, settings: settings, steps: steps, intervals: intervals, resumes: resumes,
      sinks: sinks
    ) {
      guard resumes || !Self.hasBegun(folder) else { throw TrainingError.runExists(path: folder) }
      Self.removeLeftovers(in: folder)
      let weights = task.weights.reduce(0) { $0 + $1.parameter.value.count }
      return PreparedTask(
        task: task, headline: "\(NumberText.amount(weights)) weights", unit: "units",
        examples: examples)
    }
  }

  /// Prepares the task of a recipe; `begin` checks the folder and returns what the user should know.
  private convenience init<Recipe: TrainingRecipe>(
    _ recipe: Recipe, _ settings: TrainingSettings, in folder: FilePath, resumes: Bool,
    sinks: [any MetricsSink], device: Device, progress: @escaping ProgressHandler,
    begin: () throws -> [String]
  ) throws {
    try self.init(
      in: folder, settings: settings.loop, steps: settings.steps, intervals: settings.intervals,
      resumes: resumes, sinks: sinks
    ) {
      let notices = try begin()
      Self.removeLeftovers(in: folder)
      var prepared = try recipe.prepare(in: folder, device: device, progress: progress)
      prepared.notices = notices + prepared.notices
      return prepared
    }
  }

  /// Whether a folder contains steps of a run.
  private static func hasBegun(_ folder: FilePath) -> Bool {
    !CheckpointStore(folder.appending("checkpoints")).steps().isEmpty
      || !folder.appending("metrics.csv").isMissing
  }

  /// Checks that a run may start or continue in a folder, and writes the record of a new one.
  ///
  /// - Returns: What the user should know.
  private static func record(
    _ configuration: TrainingConfiguration, _ versions: [String: String], in folder: FilePath,
    resumes: Bool
  ) throws -> [String] {
    let path = folder.appending("run.json")
    let record = RunRecord(configuration, versions: versions)
    guard resumes, !path.isMissing else {
      guard !hasBegun(folder) else { throw TrainingError.runExists(path: folder) }
      // Left by a run that never reached its first step.
      for name in ["tokenizer.json", "data"] {
        try? FileManager.default.removeItem(atPath: folder.appending(name).string)
      }
      try record.write(to: path)
      return []
    }
    let old = try RunRecord.read(path)
    let differences = old.differences(from: configuration.resolved)
    guard differences.isEmpty else {
      throw TrainingError.otherConfiguration(path: folder, differences: differences)
    }
    guard old.threads != record.threads else { return [] }
    return [
      "the run used \(NumberText.counted(old.threads, "thread")), now \(record.threads): losses will differ in their last bits"
    ]
  }

  private static func removeLeftovers(in folder: FilePath) {
    for part in [folder] + ["data", "checkpoints", "snapshots"].map({ folder.appending($0) }) {
      Leftovers.remove(in: part)
    }
  }
}
