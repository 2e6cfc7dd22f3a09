import MoECore
import MoEModels

/// A ``TrainingLoop`` of any task.
protocol RunnableLoop: AnyObject {
  var settings: LoopSettings { get }
  var step: Int { get }
  var state: LoopState { get }
  func advance() throws -> StepMetrics
  func evaluate() throws -> (results: [NamedValue], files: [ModelFile])
  func withFinalWeights<Result>(_ body: () throws -> Result) rethrows -> Result
  /// Files of the model's folder besides weights.
  func modelFiles() throws -> [ModelFile]
}

extension TrainingLoop: RunnableLoop {
  func modelFiles() throws -> [ModelFile] { try task.modelFiles() }
}
