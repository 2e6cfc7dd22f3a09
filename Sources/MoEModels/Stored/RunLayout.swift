import MoECore
public import SystemPackage

/// Where the models of a training run are in its folder.
public struct RunLayout: Hashable, Sendable {
  /// The folder of the run.
  public let folder: FilePath

  /// Recognises the folder of a run by its `run.json`; `nil` for any other path.
  public init?(_ folder: FilePath) {
    guard folder.appending("run.json").exists else { return nil }
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
