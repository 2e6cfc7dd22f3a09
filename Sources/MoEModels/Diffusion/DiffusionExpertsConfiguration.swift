import MoECore
public import MoERouting

/// The experts of a diffusion transformer's sparse blocks and the rule that assigns tokens to them.
public struct DiffusionExpertsConfiguration: Hashable, Sendable {
  /// The rules, by their names in `config.json`.
  public enum Router: String, Hashable, Codable, Sendable, CaseIterable {
    /// ProMoE: tokens choose the experts of their nearest prototypes.
    case promoe
    /// ProMoE: experts choose the tokens nearest to their prototypes, in each image.
    case promoeExpertChoice = "promoe_expert_choice"
    /// TC-DiT: tokens choose by a learned gate.
    case tokenChoice = "tc_dit"
    /// EC-DiT: experts choose by a learned gate, in each image.
    case expertChoice = "ec_dit"
    /// DiffMoE: experts choose from the whole batch, and predict how much they would take.
    case diffMoE = "diffmoe"
    /// A classifier sends whole images to experts.
    case classification
    /// Tokens go to the nearest of centroids that follow them.
    case kMeans = "k_means"

    /// Whether it compares tokens to learned prototypes.
    public var hasPrototypes: Bool { self == .promoe || self == .promoeExpertChoice }
    /// Whether images without a label may have an expert of their own, and all tokens a shared one.
    public var hasRoles: Bool {
      hasPrototypes || self == .classification || self == .kMeans
    }
  }

  /// The rule.
  public var router: Router
  /// Routed experts.
  public var count: Int
  /// Experts per token; where experts choose, on average.
  public var perToken: Int
  /// How likeness to prototypes becomes a weight.
  public var scoring: PrototypeRouter.Scoring
  /// Inner width of routed and unconditional experts.
  public var size: Int
  /// Inner width of the expert that works on all tokens, if there is one.
  public var sharedSize: Int?
  /// Whether images without a label have an expert of their own.
  public var hasUnconditional: Bool
  /// For classification, the expert that each class belongs to.
  public var superclasses: [Int]

  /// Describes experts; the defaults are those of the rule's paper for a width of `hiddenSize`.
  ///
  /// - Parameters:
  ///   - router: The rule.
  ///   - count: Routed experts; by default 12 beside two others, or 8 alone.
  ///   - hiddenSize: Width of the model.
  ///   - classes: Number of classes, which a classification divides evenly in their order.
  public init(_ router: Router, count: Int? = nil, hiddenSize: Int, classes: Int) {
    let experts = count ?? (router.hasRoles ? 12 : 8)
    (self.router, self.count) = (router, experts)
    (perToken, scoring) = (1, .identity)
    // Two experts work on a token where one is shared, and each has half the width of a dense network.
    size = (router.hasRoles ? 2 : 4) * hiddenSize
    sharedSize = router.hasRoles ? 2 * hiddenSize : nil
    hasUnconditional = router.hasRoles
    superclasses =
      router == .classification ? (0..<classes).map { $0 * experts / max(1, classes) } : []
  }

  /// Experts in the list of a layer: the routed ones, and the unconditional one.
  public var listed: Int { count + (hasUnconditional ? 1 : 0) }
}

extension DiffusionExpertsConfiguration {
  private static let keys = [
    "router", "count", "per_token", "scoring", "expert_size", "shared_size", "unconditional",
    "superclasses",
  ]

  /// Reads the object `experts` of a configuration.
  init(
    _ json: ConfigurationObject, hiddenSize: Int, classes: Int, hasNullLabel: Bool
  ) throws(ConfigurationError) {
    try json.refuseKeys(except: Self.keys)
    let router: Router = try json.choice("router")
    let count = try json.int("count", in: 1...1024)
    self.init(router, count: count, hiddenSize: hiddenSize, classes: classes)
    perToken = try json.optionalInt("per_token", in: 1...count) ?? 1
    if perToken > 1, router == .classification || router == .kMeans {
      throw json.invalid("per_token", "1 for the router '\(router.rawValue)'")
    }
    if json.has("scoring") {
      guard router.hasPrototypes else {
        throw json.invalid("scoring", "left out; only routers with prototypes have it")
      }
      scoring = try json.choice("scoring")
    }
    size = try json.optionalInt("expert_size", in: CommonKeys.size) ?? size
    if json.has("shared_size") || json.has("unconditional"), !router.hasRoles {
      let key = json.has("shared_size") ? "shared_size" : "unconditional"
      throw json.invalid(
        key, "left out; the router '\(router.rawValue)' has routed experts only")
    }
    if router.hasRoles {
      // A shared size of 0 says that there is none.
      let shared = try json.optionalInt("shared_size", in: 0...CommonKeys.size.upperBound)
      sharedSize = shared.map { $0 == 0 ? nil : $0 } ?? sharedSize
      hasUnconditional = try json.optionalBool("unconditional") ?? hasNullLabel
      if hasUnconditional, !hasNullLabel {
        throw json.invalid(
          "unconditional", "false where label_dropout is 0, because no image lacks its label then")
      }
    }
    try readSuperclasses(json, classes: classes)
  }

  private mutating func readSuperclasses(
    _ json: ConfigurationObject, classes: Int
  ) throws(ConfigurationError) {
    guard json.has("superclasses") else { return }
    let listed = try json.ints("superclasses", in: 0...count - 1)
    guard router == .classification, listed.count == classes else {
      throw json.invalid(
        "superclasses",
        router == .classification
          ? "one expert for each of the \(classes) classes"
          : "left out; only the router 'classification' has them")
    }
    superclasses = listed
  }

  /// The object for `config.json`.
  var json: ConfigurationObject.Value {
    var values: [String: ConfigurationObject.Value] = [
      "router": .string(router.rawValue), "count": .number(Double(count)),
      "per_token": .number(Double(perToken)), "expert_size": .number(Double(size)),
    ]
    if router.hasPrototypes { values["scoring"] = .string(scoring.rawValue) }
    if router.hasRoles {
      values["shared_size"] = .number(Double(sharedSize ?? 0))
      values["unconditional"] = .bool(hasUnconditional)
    }
    if router == .classification {
      values["superclasses"] = .array(superclasses.map { .number(Double($0)) })
    }
    return .object(values)
  }
}
