public import MoECore

/// The rules that a configuration can name.
public enum Routers {
  /// The rules by the value of `type`.
  public static let registry = Registry<any ConfigurableRouter.Type>(
    "router",
    [
      "token_choice": TokenChoiceRouter.self, "expert_choice": ExpertChoiceRouter.self,
      "noisy_top_k": NoisyTopKRouter.self, "uniform_random": UniformRandomRouter.self,
    ])

  /// The rule that the object `router` of a configuration describes.
  ///
  /// - Parameters:
  ///   - json: The configuration that holds the object.
  ///   - experts: Experts of a layer.
  /// - Returns: The rule.
  /// - Throws: `ConfigurationError` that names the key, and lists the known rules for an unknown `type`.
  public static func router(
    of json: ConfigurationObject, experts: Int
  ) throws -> any ConfigurableRouter {
    guard let object = try json.optionalObject("router") else {
      throw ConfigurationError.missingKey(path: json.path, key: json.fullKey("router"))
    }
    let type = try object.entry("type", in: registry).entry
    do {
      return try type.init(object, experts: experts)
    } catch let error as SettingError {
      throw json.invalid("router", "a rule that exists: \(error)")
    }
  }
}
