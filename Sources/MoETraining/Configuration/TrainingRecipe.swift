public import MoECore
public import MoETensor
public import SystemPackage

/// How one kind of model is trained from a configuration: the sections that only it has, and its
/// preparation.
///
/// A kind of model becomes known to ``TrainingConfiguration``, and so to `switchyard train`, by its name in
/// ``TrainingRecipes/registry``:
///
///     TrainingRecipes.registry.register("my_model", MyRecipe.self)
///
/// A file with `"task": "my_model"` is then read by `MyRecipe`. The order is: ``sections`` and ``pathKeys``,
/// ``init(_:_:)``, `checkFiles`, then, in the folder of the run, ``prepare(in:device:progress:)``.
public protocol TrainingRecipe: Sendable {
  /// What is trained.
  associatedtype Task: TrainingTask

  /// Root keys besides ``TrainingSettings/sections``; the section `evaluation` must be one of them for its key `every`
  /// to be allowed.
  static var sections: [String] { get }
  /// Dotted keys whose values are paths, or lists of paths, such as `data.train`; in a file they are relative to its
  /// folder.
  static var pathKeys: [String] { get }

  /// Checks the recipe's sections; the root keys are known to be right.
  ///
  /// - Parameters:
  ///   - json: The whole configuration, with resolved paths.
  ///   - shared: Its sections that every kind of model has, checked.
  /// - Throws: `ConfigurationError` or `SettingError` that names the key.
  init(_ json: ConfigurationObject, _ shared: TrainingSettings) throws

  /// Defaults that decide about the losses, by section and key, for the record of the run: resuming is refused where
  /// they differ.
  var resolved: [String: JSONObject] { get }

  /// Checks the files that the configuration names, before anything is written.
  ///
  /// - Throws: When one is missing or cannot be used.
  func checkFiles() throws

  /// Makes the model and its data.
  ///
  /// The same configuration must give the same task. Files that a recipe writes to the folder are
  /// still there when the run is continued.
  ///
  /// - Parameters:
  ///   - folder: The folder of the run, which exists.
  ///   - device: Where the weights are stored.
  ///   - progress: Called as the work advances.
  /// - Returns: The task, with the weights from which training starts.
  /// - Throws: When the model or the data cannot be created.
  func prepare(
    in folder: FilePath, device: Device, progress: @escaping ProgressHandler
  ) throws -> PreparedTask<Task>
}

extension TrainingRecipe {
  /// No paths.
  public static var pathKeys: [String] { [] }
  /// No defaults.
  public var resolved: [String: JSONObject] { [:] }
  /// No files.
  public func checkFiles() throws {}
}

/// A task that is ready to be trained, and what to tell the user about it.
public struct PreparedTask<Task: TrainingTask> {
  /// What is trained.
  public var task: Task
  /// Size of model and data in one line.
  public var headline: String
  /// The unit of the speed, in the plural: tokens, images, texts.
  public var unit: String
  /// Examples in one pass over the data, which the `index` of the task's position never exceeds.
  ///
  /// If it is `nil`, a checkpoint of other data cannot be detected by its position.
  public var examples: Int?
  /// How batches use up the data, by which the position of a checkpoint is checked; `nil` if unknown.
  public var consumption: DataConsumption?
  /// What the user should know before it starts, one sentence each.
  public var notices: [String]

  /// Describes a task.
  ///
  /// - Parameters:
  ///   - task: What is trained.
  ///   - headline: Size of model and data in one line.
  ///   - unit: The unit of the speed, in the plural.
  ///   - examples: Examples in one pass over the data, if known.
  ///   - consumption: How batches use up the data, if it is always the same.
  ///   - notices: What the user should know before it starts.
  public init(
    task: Task, headline: String, unit: String, examples: Int? = nil,
    consumption: DataConsumption? = nil, notices: [String] = []
  ) {
    (self.task, self.headline, self.unit) = (task, headline, unit)
    (self.examples, self.consumption, self.notices) = (examples, consumption, notices)
  }
}
