import MoECore
import MoEModels
import MoETensor
import SystemPackage

/// How one kind of model is trained from a configuration: the sections that only it has, and its preparation.
///
/// A new kind of model becomes known to `switchyard train` by standing in ``TrainingRecipes/all``.
protocol TrainingRecipe: Sendable {
  associatedtype Task: TrainingTask

  /// Value of the root key `task`.
  static var name: String { get }
  /// Root keys besides ``SharedSettings/sections``.
  static var sections: [String] { get }
  /// Dotted keys whose values are paths.
  static var pathKeys: [String] { get }

  /// Checks the recipe's sections; the root keys are known to be right.
  init(_ json: ConfigurationObject, _ shared: SharedSettings) throws

  /// Defaults that decide about the losses, by section.
  var resolved: [String: [String: ConfigurationObject.Value]] { get }

  /// Checks the files that the configuration names, before anything is written.
  func checkFiles() throws

  /// Makes the model and its data; may write files to the folder of the run, and finds them there when the run
  /// is continued.
  func prepare(
    in folder: FilePath, device: Device, progress: @escaping ProgressHandler
  ) throws -> PreparedTask<Task>
}

/// A task that is ready to be trained, and what people should know of it.
struct PreparedTask<Task: TrainingTask> {
  /// What is trained.
  var task: Task
  /// Size of model and data in one line.
  var headline: String
  /// What is counted for the speed, in the plural: tokens, images, texts.
  var unit: String
  /// Examples in one pass over the data.
  var examples: Int
  /// What the user should know before it starts.
  var notices: [String] = []
}
