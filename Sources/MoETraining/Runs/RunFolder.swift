import MoEModels
public import SystemPackage

/// The models that a training run has kept: its snapshots and its result.
public struct RunFolder: Hashable, Sendable {
  /// A model and the step after which it was written.
  public struct Model: Hashable, Sendable {
    /// The step.
    public var step: Int
    /// The folder of the model.
    public var path: FilePath
  }

  /// The models in the order of their steps; at least one.
  public let models: [Model]
  /// Name of the run's folder.
  public let name: String

  /// Reads a folder; `nil` if it is not a run or has no model.
  public init?(_ path: FilePath) {
    guard let layout = RunLayout(path) else { return nil }
    var models = layout.snapshots.steps().map {
      Model(step: $0, path: layout.snapshots.path(ofStep: $0))
    }
    if layout.isFinished, let step = layout.checkpoints.steps().last {
      models.removeAll { $0.step >= step }
      models.append(Model(step: step, path: layout.model))
    }
    guard !models.isEmpty else { return nil }
    (self.models, name) = (models, path.lastComponent?.string ?? path.string)
  }
}
