import MoECore
public import SystemPackage

/// What a run is made from: one checked JSON file about model, data and training.
///
/// `Documentation/training.md` explains every key. The ``TrainingRecipe`` that the key `task` names
/// reads the keys that only its kind of model has. An unknown key is an error that suggests the
/// most similar known key.
public struct TrainingConfiguration: Sendable {
  /// What every kind of model has.
  public let settings: TrainingSettings
  /// What only this kind of model has.
  let recipe: any TrainingRecipe
  /// The configuration with all defaults filled in.
  let resolved: JSONValue

  /// The file, for messages.
  public var path: FilePath { settings.path }

  /// Reads and checks a file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - settings: Changes, each `key=value` with a dotted key; later ones win.
  /// - Throws: `ConfigurationError` or `SettingError` that names the key, or a `FileError`.
  public init(_ path: FilePath, settings: [String] = []) throws {
    let tree = try ConfigurationTree(path, settings: settings)
    try self.init(ConfigurationObject(tree.values, path: path))
  }

  init(_ json: ConfigurationObject) throws {
    let type = try TrainingRecipes.recipe(of: json)
    try json.refuseKeys(except: TrainingSettings.sections + type.sections)
    settings = try TrainingSettings(json)
    recipe = try type.init(json, settings)
    resolved = Self.merged(json, [settings.resolved, recipe.resolved])
  }

  /// The given values, on top of the defaults.
  private static func merged(
    _ json: ConfigurationObject, _ defaults: [[String: JSONObject]]
  ) -> JSONValue {
    var tree = json.values
    for (section, values) in defaults.flatMap(\.self) {
      var merged = values
      if case .object(let given) = tree[section] ?? .null { merged.merge(given) { old, _ in old } }
      tree[section] = .object(merged.filter { $0.value != .null })
    }
    return .object(tree)
  }
}
