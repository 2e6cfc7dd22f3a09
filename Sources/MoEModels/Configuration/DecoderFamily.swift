public import MoECore

/// A family of language models: how its `config.json` is read and its weights are named.
public protocol DecoderFamily: SendableMetatype {
  /// Its `model_type`.
  static var modelType: String { get }
  /// Names of its weights.
  static var names: WeightNames { get }
  /// Reads and checks its configuration.
  ///
  /// - Throws: `ConfigurationError` that names the key.
  static func configuration(_ json: ConfigurationObject) throws -> DecoderConfiguration
}
