public import MoECore

/// The families of language models that can be opened.
public enum DecoderFamilies {
  /// The families by `model_type`.
  public static let registry = Registry<any DecoderFamily.Type>(
    "model family",
    [
      Llama.modelType: Llama.self, Mixtral.modelType: Mixtral.self, OLMoE.modelType: OLMoE.self,
      Qwen2MoE.modelType: Qwen2MoE.self, Qwen3MoE.modelType: Qwen3MoE.self,
      DeepSeekMoE.modelType: DeepSeekMoE.self, SwitchyardMoE.modelType: SwitchyardMoE.self,
    ])

  /// The family that a configuration belongs to.
  ///
  /// - Throws: `ConfigurationError` if it does not name a family; ``ModelError`` if it is not
  ///   supported.
  package static func family(of json: ConfigurationObject) throws -> any DecoderFamily.Type {
    guard let name = try json.optionalString("model_type") else {
      throw ConfigurationError.missingKey(path: json.path, key: "model_type")
    }
    guard let family = registry[name] else {
      throw ModelError.unsupportedFamily(
        path: json.path, name: name, supported: registry.names)
    }
    return family
  }
}
