public import MoECore
public import MoERouting

/// The experts of a diffusion transformer's sparse blocks and the rule that assigns tokens to them.
public struct DiffusionExpertsConfiguration: Hashable, Sendable {
  /// The rule.
  public var router: Router
  /// Routed experts.
  public var count: Int
  /// Experts per token; the average if experts choose.
  public var perToken: Int
  /// How similarity to prototypes becomes a weight, for rules that use it.
  public var scoring: PrototypeRouter.Scoring
  /// Inner width of routed and unconditional experts.
  public var size: Int
  /// Inner width of the shared expert, which processes all tokens, if there is one.
  public var sharedSize: Int?
  /// Whether images without a label have a separate expert.
  public var hasUnconditional: Bool
  /// The expert that each class belongs to, for rules that use it.
  public var superclasses: [Int]
  /// Values of the keys that only this rule has, ``DiffusionRule/settingKeys``.
  public var settings: JSONObject = [:]

  /// Creates a configuration; the defaults are those of the rule's paper for a width of
  /// `hiddenSize`.
  ///
  /// - Parameters:
  ///   - router: The rule.
  ///   - count: Routed experts; by default the rule's default.
  ///   - hiddenSize: Width of the model.
  ///   - classes: Number of classes, which a classification divides evenly, in order.
  public init(_ router: Router, count: Int? = nil, hiddenSize: Int, classes: Int) {
    let (rule, experts) = (router.rule, count ?? router.rule.defaultCount)
    (self.router, self.count) = (router, experts)
    (perToken, scoring) = (1, .identity)
    size = rule.expansion * hiddenSize
    sharedSize = rule.hasRoles ? size : nil
    hasUnconditional = rule.hasRoles
    superclasses =
      rule.keys.contains(.superclasses)
      ? (0..<classes).map { $0 * experts / max(1, classes) } : []
  }

  /// Experts of a layer: the routed ones, and the unconditional one.
  public var listed: Int { count + (hasUnconditional ? 1 : 0) }
}

extension DiffusionExpertsConfiguration {
  private static let keys =
    ["router", "count", "expert_size", "shared_size", "unconditional"]
    + DiffusionRuleKey.allCases.map(\.rawValue)

  /// Reads the object `experts` of a configuration.
  init(
    _ json: ConfigurationObject, hiddenSize: Int, classes: Int, hasNullLabel: Bool
  ) throws(ConfigurationError) {
    let router = Router(try json.entry("router", in: DiffusionRules.registry).entry)
    try json.refuseKeys(except: Self.keys + router.rule.settingKeys)
    let count = try json.int("count", in: 1...1024)
    self.init(router, count: count, hiddenSize: hiddenSize, classes: classes)
    for key in router.rule.settingKeys where json.has(key) { settings[key] = json.value(key) }
    try router.rule.check(json)
    perToken = try json.optionalInt("per_token", in: 1...count) ?? 1
    if perToken > 1, !router.rule.keys.contains(.perToken) {
      throw json.invalid("per_token", "1 for the router '\(router.name)'")
    }
    if json.has("scoring") {
      try router.check(.scoring, json)
      scoring = try json.choice("scoring")
    }
    size = try json.optionalInt("expert_size", in: CommonKeys.size) ?? size
    if json.has("shared_size") || json.has("unconditional"), !router.hasRoles {
      let key = json.has("shared_size") ? "shared_size" : "unconditional"
      throw json.invalid(
        key, "absent; the router '\(router.name)' has routed experts only")
    }
    if router.hasRoles {
      // A shared size of 0 says that there is none.
      let shared = try json.optionalInt("shared_size", in: 0...CommonKeys.size.upperBound)
      sharedSize = shared.map { $0 == 0 ? nil : $0 } ?? sharedSize
      hasUnconditional = try json.optionalBool("unconditional") ?? hasNullLabel
      if hasUnconditional, !hasNullLabel {
        throw json.invalid(
          "unconditional", "false where label_dropout is 0, because every image then has its label")
      }
    }
    try readSuperclasses(json, classes: classes)
  }

  private mutating func readSuperclasses(
    _ json: ConfigurationObject, classes: Int
  ) throws(ConfigurationError) {
    guard json.has("superclasses") else { return }
    let listed = try json.ints("superclasses", in: 0...count - 1)
    try router.check(.superclasses, json)
    guard listed.count == classes else {
      throw json.invalid("superclasses", "one expert for each of the \(classes) classes")
    }
    superclasses = listed
  }

  /// The object for `config.json`.
  var json: JSONValue {
    var values: JSONObject = [
      "router": .string(router.name), "count": .number(Double(count)),
      "per_token": .number(Double(perToken)), "expert_size": .number(Double(size)),
    ]
    if router.rule.keys.contains(.scoring) { values["scoring"] = .string(scoring.rawValue) }
    if router.hasRoles {
      values["shared_size"] = .number(Double(sharedSize ?? 0))
      values["unconditional"] = .bool(hasUnconditional)
    }
    if router.rule.keys.contains(.superclasses) {
      values["superclasses"] = .array(superclasses.map { .number(Double($0)) })
    }
    values.merge(settings) { _, own in own }
    return .object(values)
  }
}

extension DiffusionExpertsConfiguration.Router {
  /// Rejects a key that the rule does not use.
  fileprivate func check(
    _ key: DiffusionRuleKey, _ json: ConfigurationObject
  ) throws(ConfigurationError) {
    guard !rule.keys.contains(key) else { return }
    throw json.invalid(
      key.rawValue, "absent; it belongs to \(DiffusionRules.names(reading: key))")
  }
}
