import MoECore
public import SystemPackage

/// Where the models of a training run are in its folder.
public struct RunLayout: Hashable, Sendable {
  /// The folder of the run.
  public let folder: FilePath

  /// Recognises the folder of a run by its `run.json`, or, if a program trained a task without a configuration, by its
  /// metrics beside its checkpoints; `nil` for any other path.
  public init?(_ folder: FilePath) {
    let isRun =
      folder.appending("run.json").exists
      || folder.appending("metrics.csv").exists && folder.appending("checkpoints").isDirectory
    guard isRun else { return nil }
    self.folder = folder
  }

  /// The result, which exists only when all steps are complete.
  public var model: FilePath { folder.appending("model") }

  /// Whether the result exists.
  public var isFinished: Bool { model.appending(ModelLocation.configuration).exists }

  /// Models that were kept during training.
  public var snapshots: StepFolders { StepFolders(folder.appending("snapshots")) }

  /// Checkpoints to continue from.
  public var checkpoints: StepFolders { StepFolders(folder.appending("checkpoints")) }
}
