public import MoECore

/// A rule that a model's configuration can name.
///
///     "router": {"type": "token_choice", "k": 2, "renormalize": true}
///
/// A rule becomes known by its entry in ``Routers/registry``, also one from another package.
public protocol ConfigurableRouter: Router {
  /// Reads the rule's keys and checks that a layer can have it.
  ///
  /// - Parameters:
  ///   - json: The object, with its key `type`; a key that the rule does not know must be refused.
  ///   - experts: Experts of a layer, at least 1.
  /// - Throws: `ConfigurationError` or `SettingError` that names what is wrong.
  init(_ json: ConfigurationObject, experts: Int) throws
}
