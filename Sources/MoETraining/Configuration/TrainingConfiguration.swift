import MoECore
import MoEModels
public import SystemPackage

/// What `switchyard train` reads: one checked JSON file about model, data and training.
///
/// `Documentation/training.md` explains every key. A key that nobody knows is an error that names the nearest.
public struct TrainingConfiguration: Sendable {
  /// What every kind of model has.
  public let shared: SharedSettings
  /// What only this kind of model has.
  let recipe: any TrainingRecipe
  /// The configuration with all defaults filled in.
  let resolved: ConfigurationObject.Value

  /// The file, for messages.
  public var path: FilePath { shared.path }

  /// Reads and checks a file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - settings: Changes, each `key=value` with a dotted key; later ones win.
  /// - Throws: `ModelError` or ``TrainingError`` that names the key, or a `FileError`.
  public init(_ path: FilePath, settings: [String] = []) throws {
    var tree = try ConfigurationTree(path)
    for setting in settings { try tree.set(setting) }
    try self.init(ConfigurationObject(tree.values, path: path))
  }

  init(_ json: ConfigurationObject) throws {
    let type = try TrainingRecipes.recipe(of: json)
    try json.refuseKeys(except: SharedSettings.sections + type.sections)
    shared = try SharedSettings(json)
    recipe = try type.init(json, shared)
    resolved = Self.merged(json, [shared.resolved, recipe.resolved])
  }

  /// What was given, over defaults.
  private static func merged(
    _ json: ConfigurationObject, _ defaults: [[String: [String: ConfigurationObject.Value]]]
  ) -> ConfigurationObject.Value {
    var tree = json.values
    for (section, values) in defaults.flatMap(\.self) {
      var merged = values
      if case .object(let given) = tree[section] ?? .null { merged.merge(given) { old, _ in old } }
      tree[section] = .object(merged.filter { $0.value != .null })
    }
    return .object(tree)
  }
}
