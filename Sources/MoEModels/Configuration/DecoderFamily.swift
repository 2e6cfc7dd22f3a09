public import MoECore

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
