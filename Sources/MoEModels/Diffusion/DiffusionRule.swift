public import MoETensor

/// A rule that assigns the tokens of images to the experts of a block: its weights, how it routes, what it adds to the
/// loss, and what it learns from a batch besides gradients.
///
/// The rule itself is a `Router` or another pure function in MoERouting; here are the weights around it. Everything
/// that other code must know of a rule stands in its type, so a rule is one file. One that stands elsewhere needs one
/// line more, before a file that names it is read:
///
///     DiffusionRules.registry.register(NearestRule.name, NearestRule.self)
///
/// Everything but ``name``, ``title``, ``init(_:)`` and ``route(_:pass:)`` has a default.
public protocol DiffusionRule: SendableMetatype {
  /// What `config.json` calls the rule, in lower case with underscores.
  static var name: String { get }
  /// A model with this rule, for people: "TC-DiT", or "a model routed by k-means".
  static var title: String { get }

  /// Whether images without a label may have a separate expert, and all tokens a shared one; false by default.
  static var hasRoles: Bool { get }
  /// The optional keys of `experts` in `config.json` that the rule reads; by default the number of experts per token.
  static var keys: Set<DiffusionRuleKey> { get }
  /// Routed experts of a new model, unless it says otherwise; by default 12 beside two others, or 8 alone.
  static var defaultCount: Int { get }
  /// Inner width of an expert in widths of the model, unless a configuration says otherwise; by default 2 beside a
  /// shared expert of the same width, or 4 alone, so that as many weights work on a token.
  static var expansion: Int { get }

  /// Names of tensors by which a checkpoint of this rule is recognised, after `blocks.N.mlp.`; the first axis of the
  /// first is the number of routed experts.
  ///
  /// Where several rules fit, the one with most names is taken, and of those the one that was registered first. By
  /// default there are none, and a checkpoint needs a `config.json`.
  static var signature: [String] { get }
  /// Names of the rule's tensors that gradients do not change, after `blocks.N.mlp.`; none by default.
  ///
  /// They keep their type where a model computes in another, so no weight of another rule may end like one of them.
  static var buffers: [String] { get }
  /// What checkpoints call the two projections of an expert; by default `up_proj` and `down_proj` for rules with roles,
  /// `fc1` and `fc2` for others, as the paper's code does.
  static var projections: (up: String, down: String) { get }

  /// The terms that the rule adds to the loss, in the order in which they are added; by default the balance loss with
  /// the coefficient 0.
  static var terms: [RoutingTerm] { get }
  /// Whether weights of assignments may be negative, as cosines are; false by default.
  static var hasSignedWeights: Bool { get }
  /// Whether what happens to an image does not depend on the others of its batch when images are made; true by default.
  static var treatsImagesAlone: Bool { get }
  /// Whether ``learn(from:)`` does anything; false by default.
  static var learnsFromRouting: Bool { get }

  /// Asks for the rule's weights of one block.
  ///
  /// - Parameter weights: Where they come from, and how many experts there are.
  /// - Throws: What `weights` throws, and `SettingError` for a configuration that does not fit.
  init(_ weights: DiffusionRuleWeights) throws

  /// Directions to which tokens are compared, which reports show: shape `[experts, width]`; `nil` by default.
  var prototypes: Tensor? { get }
  /// Whether the next batch of training should be a pass of the kind ``DiffusionPass/starting(_:)``; false by default.
  var needsStart: Bool { get }

  /// Assigns tokens to the routed experts.
  ///
  /// - Parameters:
  ///   - tokens: Those of images that have no separate expert; perhaps none.
  ///   - pass: What the pass is for.
  /// - Returns: The tokens and their assignment, the same whether or not gradients are recorded.
  func route(_ tokens: LabelledTokens, pass: DiffusionPass) -> RoutedTokens

  /// The value of one of ``terms``, before its coefficient; never asked for the balance loss, which all rules share.
  ///
  /// - Parameters:
  ///   - term: Its name.
  ///   - routed: What ``route(_:pass:)`` gave.
  ///   - parameters: Values of the term's parameters, by name.
  /// - Returns: Shape `[]`, at least 0; 0 for no tokens.
  func loss(_ term: String, of routed: RoutedTokens, parameters: [String: Double]) -> Tensor

  /// Moves the rule's buffers after a batch of training; does nothing by default.
  ///
  /// - Parameter routed: What ``route(_:pass:)`` gave for the batch.
  func learn(from routed: RoutedTokens)
}

extension DiffusionRule {
  /// False.
  public static var hasRoles: Bool { false }
  /// The number of experts per token.
  public static var keys: Set<DiffusionRuleKey> { [.perToken] }
  /// 12 beside two others, or 8 alone.
  public static var defaultCount: Int { hasRoles ? 12 : 8 }
  /// 2 beside a shared expert, or 4 alone.
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

  /// Stops: the rule has no term but the balance loss.
  public func loss(
    _ term: String, of routed: RoutedTokens, parameters: [String: Double]
  ) -> Tensor {
    programmerError("the router '\(Self.name)' lists a loss '\(term)' and does not compute it")
  }

  /// Does nothing.
  public func learn(from routed: RoutedTokens) {}
}

/// A key of `experts` in `config.json` that only some rules read.
public enum DiffusionRuleKey: String, Hashable, Sendable, CaseIterable {
  /// How likeness to prototypes becomes a weight.
  case scoring
  /// The expert of each class.
  case superclasses
  /// Experts per token; where experts choose, on average.
  case perToken = "per_token"
}
