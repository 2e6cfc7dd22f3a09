public import MoECore
public import MoETensor

/// A rule that assigns the tokens of images to the experts of a block.
///
/// It comprises its weights, how it routes, what it adds to the loss, and what it learns from a
/// batch besides gradients.
///
/// The rule itself is a `Router` or another pure function in MoERouting; this type adds the
/// weights. It contains everything that other code must know about a rule, so a rule is one file. A
/// rule from another package needs one more line, before a file that names it is read:
///
///     DiffusionRules.registry.register(NearestRule.name, NearestRule.self)
///
/// Everything but ``name``, ``title``, ``init(_:)`` and ``route(_:pass:)`` has a default.
public protocol DiffusionRule: SendableMetatype {
  /// The rule's name in `config.json`, in lower case with underscores.
  static var name: String { get }
  /// A description of a model with this rule: "TC-DiT", or "a model routed by k-means".
  static var title: String { get }

  /// Whether images without a label may have a separate expert, and all tokens a shared one; false by default.
  static var hasRoles: Bool { get }
  /// The optional keys of `experts` in `config.json` that the rule uses; by default the number of
  /// experts per token.
  static var keys: Set<DiffusionRuleKey> { get }
  /// Further keys of `experts` in `config.json` that only this rule has; none by default. Their values are in
  /// ``DiffusionExpertsConfiguration/settings``.
  static var settingKeys: [String] { get }
  /// Rejects values of ``settingKeys`` that no model can have; accepts all by default.
  ///
  /// - Parameter json: The object `experts` of a configuration.
  /// - Throws: `ConfigurationError` that names the key.
  static func check(_ json: ConfigurationObject) throws(ConfigurationError)
  /// Default number of routed experts of a new model: 12 with two other experts, or 8 without.
  static var defaultCount: Int { get }
  /// Default inner width of an expert, as a multiple of the model's width: 2 with a shared expert
  /// of the same width, or 4 without, so that the number of active weights is the same.
  static var expansion: Int { get }

  /// Names of tensors by which a checkpoint of this rule is recognised, after `blocks.N.mlp.`.
  ///
  /// The first axis of the first one is the number of routed experts.
  ///
  /// If several rules match, the one with the most names is used, and of those the one that was
  /// registered first. By default there are none, and a checkpoint needs a `config.json`.
  static var signature: [String] { get }
  /// Names of the rule's tensors that gradients do not change, after `blocks.N.mlp.`; none by default.
  ///
  /// They keep their type when a model computes in another one, so the names of other rules'
  /// weights must not end like one of them.
  static var buffers: [String] { get }
  /// Names of an expert's two projections in checkpoints; by default `up_proj` and `down_proj` for
  /// rules with roles, `fc1` and `fc2` for others, as in the paper's code.
  static var projections: (up: String, down: String) { get }

  /// The terms that the rule adds to the loss, in the order in which they are added; by default the balance loss with
  /// the coefficient 0.
  static var terms: [RoutingTerm] { get }
  /// Whether weights of assignments may be negative, as cosines are; false by default.
  static var hasSignedWeights: Bool { get }
  /// Whether images are generated independently of the others in their batch; true by default.
  static var treatsImagesAlone: Bool { get }
  /// Whether ``learn(from:)`` does anything; false by default.
  static var learnsFromRouting: Bool { get }

  /// Requests the rule's weights of one block.
  ///
  /// - Parameter weights: The source of the weights, and the experts of the block.
  /// - Throws: What `weights` throws, and `SettingError` for a configuration that does not fit.
  init(_ weights: DiffusionRuleWeights) throws

  /// The prototypes that tokens are compared with, for reports: shape `[experts, width]`; `nil` by
  /// default.
  var prototypes: Tensor? { get }
  /// Whether the next batch of training should be a pass of the kind ``DiffusionPass/starting(_:)``; false by default.
  var needsStart: Bool { get }

  /// Assigns tokens to the routed experts.
  ///
  /// - Parameters:
  ///   - tokens: The tokens of images without a separate expert; may be empty.
  ///   - pass: What the pass is for.
  /// - Returns: The tokens and their assignment, the same whether or not gradients are recorded.
  func route(_ tokens: LabelledTokens, pass: DiffusionPass) -> RoutedTokens

  /// The value of one of ``terms``, before its coefficient; not called for the balance loss, which
  /// all rules share.
  ///
  /// - Parameters:
  ///   - term: Its name.
  ///   - routed: The result of ``route(_:pass:)``.
  ///   - parameters: Values of the term's parameters, by name.
  /// - Returns: Shape `[]`, at least 0; 0 for no tokens.
  func loss(_ term: String, of routed: RoutedTokens, parameters: [String: Double]) -> Tensor

  /// Updates the rule's buffers after a training batch; does nothing by default.
  ///
  /// - Parameter routed: The result of ``route(_:pass:)`` for the batch.
  func learn(from routed: RoutedTokens)
}

extension DiffusionRule {
  /// False.
  public static var hasRoles: Bool { false }
  /// The number of experts per token.
  public static var keys: Set<DiffusionRuleKey> { [.perToken] }
  /// None.
  public static var settingKeys: [String] { [] }
  /// Accepts everything.
  public static func check(_ json: ConfigurationObject) throws(ConfigurationError) {}
  /// 12 with two others, or 8 without.
  public static var defaultCount: Int { hasRoles ? 12 : 8 }
  /// 2 with a shared expert, or 4 without.
  public static var expansion: Int { hasRoles ? 2 : 4 }
  /// None.
  public static var signature: [String] { [] }
  /// None.
  public static var buffers: [String] { [] }
  /// As the paper's code names them.
  public static var projections: (up: String, down: String) {
    hasRoles ? ("up_proj", "down_proj") : ("fc1", "fc2")
  }
  /// The balance loss, with the coefficient 0.
  public static var terms: [RoutingTerm] { [.balance()] }
  /// False.
  public static var hasSignedWeights: Bool { false }
  /// True.
  public static var treatsImagesAlone: Bool { true }
  /// False.
  public static var learnsFromRouting: Bool { false }
  /// None.
  public var prototypes: Tensor? { nil }
  /// False.
  public var needsStart: Bool { false }

  /// Stops the program: the rule has no term but the balance loss.
  public func loss(
    _ term: String, of routed: RoutedTokens, parameters: [String: Double]
  ) -> Tensor {
    programmerError("the router '\(Self.name)' lists the loss '\(term)' but does not compute it")
  }

  /// Does nothing.
  public func learn(from routed: RoutedTokens) {}
}

/// A key of `experts` in `config.json` that only some rules use.
public enum DiffusionRuleKey: String, Hashable, Sendable, CaseIterable {
  /// How similarity to prototypes becomes a weight.
  case scoring
  /// The expert of each class.
  case superclasses
  /// Experts per token; the average if experts choose.
  case perToken = "per_token"
}
