public import MoEModels
import MoECore
public import SystemPackage

/// Which of a run's weights a model, or a figure, is of.
public enum RunWeights: String, Hashable, Sendable {
  /// The running average of the weights.
  case averaged = "averaged weights"
  /// The weights that the last of the steps left.
  case last = "last weights"

  /// The weights that evaluations, snapshots and the final model of a run use; `nil` if its record does not say.
  public init?(evaluationsOf run: FilePath) {
    guard let record = try? RunRecord.read(run.appending("run.json")) else { return nil }
    let average = record.configuration.flattened()["training.average"] ?? .null
    self = average == .null ? .last : .averaged
  }

  /// The weights of a model in the folder of a run; `nil` for other folders.
  public init?(of model: ModelLocation) {
    let path = model.path.lexicallyNormalized()
    if let run = model.run {
      self.init(evaluationsOf: run)
    } else if path.lastComponent == "model" {
      self.init(evaluationsOf: path.removingLastComponent())
    } else {
      let parent = path.removingLastComponent()
      switch parent.lastComponent {
      case "snapshots": self.init(evaluationsOf: parent.removingLastComponent())
      case "checkpoints" where RunWeights(evaluationsOf: parent.removingLastComponent()) != nil:
        self = .last
      default: return nil
      }
    }
  }
}
