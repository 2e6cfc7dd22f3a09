/// A family of language models: how its `config.json` and its weights are named.
public protocol DecoderFamily: SendableMetatype {
  /// Its `model_type`.
  static var modelType: String { get }
  /// Names of its weights.
  static var names: WeightNames { get }
  /// Reads and checks its configuration.
  ///
  /// - Throws: ``ModelError`` that names the key.
  static func configuration(_ json: ConfigurationObject) throws -> DecoderConfiguration
}

/// Where the weights of a sparse layer stand in a checkpoint, after `model.layers.N.`.
public struct WeightNames: Hashable, Sendable {
  /// The module that holds gate and experts.
  public var block: String
  /// Names of an expert's gate, up and down projections.
  public var gate: String
  /// See ``gate``.
  public var up: String
  /// See ``gate``.
  public var down: String
  /// The shared expert, inside ``block``.
  public var shared: String

  /// As OLMoE, Qwen and DeepSeek name them.
  static let usual = WeightNames(
    block: "mlp", gate: "gate_proj", up: "up_proj", down: "down_proj", shared: "shared_experts")
}

/// The families that can be opened.
public enum DecoderFamilies {
  /// One row per family.
  public static let all: [any DecoderFamily.Type] = [
    Llama.self, Mixtral.self, OLMoE.self, Qwen2MoE.self, Qwen3MoE.self, DeepSeekMoE.self,
    SwitchyardMoE.self,
  ]

  /// The family that a configuration belongs to.
  ///
  /// - Throws: ``ModelError`` when it names none or one that is not supported.
  package static func family(of json: ConfigurationObject) throws -> any DecoderFamily.Type {
    guard let name = try json.optionalString("model_type") else {
      throw ModelError.missingKey(path: json.path, key: "model_type")
    }
    guard let family = all.first(where: { $0.modelType == name }) else {
      throw ModelError.unsupportedFamily(
        path: json.path, name: name, supported: all.map { $0.modelType })
    }
    return family
  }
}
