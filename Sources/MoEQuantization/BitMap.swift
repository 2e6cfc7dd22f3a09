public import MoECore
public import MoEModels
public import MoETensor
public import SystemPackage

/// How many bits each linear layer of a model gets.
///
/// It is written as a few words, `4`, `attention=8,experts=3` or `experts=2g128s,head=6`, or as a JSON file with rules by
/// name, of which the first that matches counts:
///
///     {"default": 4, "rules": [{"match": ".*experts\\.(3|5)\\..*", "bits": 8, "group": 128, "symmetric": true}]}
///
/// 16 bits leave a layer as it is. A number alone is for experts, and for the networks of layers without them; routers
/// then keep 16 bits, everything else gets 8.
public struct BitMap: Hashable, Sendable {
  /// What a layer gets; `nil` to leave it as it is.
  public struct Choice: Hashable, Sendable {
    /// 2, 3, 4, 5, 6, 8, or 16 for no change.
    public var bits: Int
    /// Inputs of a group.
    public var group: Int
    /// Whether codes have no bias.
    public var isSymmetric: Bool

    /// Chooses bits.
    public init(bits: Int, group: Int = 64, isSymmetric: Bool = false) {
      (self.bits, self.group, self.isSymmetric) = (bits, group, isSymmetric)
    }

    /// The bits that change nothing.
    public static let dense = 16
  }

  /// A rule of a file.
  private struct Rule: Hashable, Sendable {
    var pattern: String
    var choice: Choice
  }

  private var kinds: [ModuleKind: Choice]
  /// Kinds that were named, of which a model must have modules.
  private var named: Set<ModuleKind> = []
  private var rules: [Rule] = []
  /// The text or file that it was read from, for messages.
  private var source: String

  /// Kinds of modules that can be packed.
  public static let kinds: [ModuleKind] = [
    .embedding, .attention, .router, .experts, .shared, .dense, .head,
  ]

  private static func usual(_ choice: Choice) -> [ModuleKind: Choice] {
    var wide = choice
    wide.bits = 8
    wide.isSymmetric = false
    var dense = choice
    dense.bits = Choice.dense
    return [
      .embedding: wide, .attention: wide, .router: dense, .experts: choice, .shared: wide,
      .dense: choice, .head: wide,
    ]
  }

  /// The usual choices for a model whose experts get some bits.
  public init(_ choice: Choice) { (kinds, source) = (Self.usual(choice), "\(choice.bits)") }

  /// Reads a map from words.
  ///
  /// - Parameters:
  ///   - text: `BITS` and `KIND=BITS`, separated by commas; `g` and a group, and `s` for symmetric codes, may follow bits.
  ///   - group: The group where none is written.
  /// - Throws: `SettingError` that quotes the word.
  public init(parsing text: String, group: Int = 64) throws(SettingError) {
    var general: Choice?
    var own: [ModuleKind: Choice] = [:]
    for word in text.split(separator: ",", omittingEmptySubsequences: false) {
      let parts = word.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let choice = try Self.choice(parts[parts.count - 1], in: text, group: group)
      guard parts.count == 2 else {
        guard general == nil else { throw Self.error(text, "one number for all experts, not two") }
        general = choice
        continue
      }
      guard let kind = ModuleKind(rawValue: String(parts[0])), Self.kinds.contains(kind) else {
        let names = Self.kinds.map(\.rawValue).joined(separator: ", ")
        throw Self.error(
          text,
          "KIND=BITS with one of \(names); '\(parts[0].description.printable)' is not one of them")
      }
      guard own.updateValue(choice, forKey: kind) == nil else {
        throw Self.error(text, "one number for each kind; '\(kind.rawValue)' has two")
      }
    }
    let base = general ?? Choice(bits: 8, group: group)
    kinds = Self.usual(base).merging(own) { $1 }
    (named, source) = (Set(own.keys), text)
  }

  private static func choice(
    _ word: Substring, in text: String, group: Int
  ) throws(SettingError) -> Choice {
    var rest = word
    let isSymmetric = rest.last == "s"
    if isSymmetric { rest.removeLast() }
    let parts = rest.split(separator: "g", maxSplits: 1, omittingEmptySubsequences: false)
    let choice = parts.first.flatMap { Int($0) }.flatMap { bits -> Choice? in
      guard parts.count == 2 else {
        return Choice(bits: bits, group: group, isSymmetric: isSymmetric)
      }
      return Int(parts[1]).map { Choice(bits: bits, group: $0, isSymmetric: isSymmetric) }
    }
    guard let choice, choice.isPossible else {
      throw error(
        text,
        "bits of 2, 3, 4, 5, 6, 8 or 16, with a group of 32, 64 or 128 after 'g' and 's' for symmetric, as in 4g64s; '\(word.description.printable)' is not"
      )
    }
    return choice
  }

  private static func error(_ text: String, _ expected: String) -> SettingError {
    SettingError(key: "bits", value: "'\(text.printable)'", expected: expected)
  }

  /// Reads a map from a file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - group: The group where none is written.
  /// - Throws: `ConfigurationError` that names the key, or a `FileError`.
  public init(_ path: FilePath, group: Int = 64) throws {
    let json = try ConfigurationObject(path)
    try json.refuseKeys(except: ["default", "rules"] + Self.kinds.map(\.rawValue))
    let usual = Choice(bits: 8, group: group)
    let general = try Self.choice("default", in: json, usual) ?? usual
    kinds = Self.usual(general)
    let base = Choice(bits: 8, group: general.group)
    for kind in Self.kinds {
      guard let choice = try Self.choice(kind.rawValue, in: json, base) else { continue }
      kinds[kind] = choice
      named.insert(kind)
    }
    source = path.string
    for rule in try json.optionalObjects("rules") ?? [] {
      try rule.refuseKeys(except: ["match", "bits", "group", "symmetric"])
      let pattern = try rule.optionalString("match") ?? ""
      guard !pattern.isEmpty else {
        throw rule.invalid("match", "a regular expression for names of modules")
      }
      // Refuses what is no expression, or has no end.
      _ = try ModuleRule(pattern, 0, in: rule, key: "match")
      rules.append(Rule(pattern: pattern, choice: try Self.choice(rule, general)))
    }
  }

  private static func choice(
    _ key: String, in json: ConfigurationObject, _ usual: Choice
  ) throws -> Choice? {
    guard json.has(key) else { return nil }
    if case .object = json.value(key) { return try choice(json.object(key), usual) }
    let choice = Choice(bits: try json.int(key, in: 2...16), group: usual.group)
    guard choice.isPossible else { throw json.invalid(key, "2, 3, 4, 5, 6, 8 or 16") }
    return choice
  }

  private static func choice(_ json: ConfigurationObject, _ base: Choice) throws -> Choice {
    let choice = Choice(
      bits: try json.int("bits", in: 2...16),
      group: try json.optionalInt("group", in: 32...128) ?? base.group,
      isSymmetric: try json.optionalBool("symmetric") ?? base.isSymmetric)
    guard choice.isPossible else {
      throw json.invalid("bits", "2, 3, 4, 5, 6, 8 or 16, with a 'group' of 32, 64 or 128")
    }
    return choice
  }

  /// The formats of a model's linear layers.
  ///
  /// - Parameter modules: The layers.
  /// - Returns: A format for every layer that is packed, and the layers whose rows the asked group does not divide.
  /// - Throws: `SettingError` for a rule or a kind that no layer is of.
  public func plan(for modules: [LinearModule]) throws -> QuantizationPlan {
    let missing = named.subtracting(modules.map(\.kind))
    if let kind = Self.kinds.first(where: missing.contains) {
      let reason = kind == .head ? ", because its head is the embedding" : ""
      throw SettingError(
        key: "bits", value: "'\(source.printable)'",
        expected:
          "a map of kinds that the model has; it has no module of the kind '\(kind.rawValue)'\(reason)"
      )
    }
    var plan = QuantizationPlan()
    let expressions = try rules.map { (try Regex($0.pattern), $0.choice) }
    var matched = Set<Int>()
    for module in modules {
      let rule = expressions.firstIndex { (try? $0.0.prefixMatch(in: module.name)) != nil }
      if let rule { matched.insert(rule) }
      guard let choice = rule.map({ expressions[$0].1 }) ?? kinds[module.kind] else { continue }
      plan.add(module.name, module.kind, module.shape, choice)
    }
    if let unused = rules.indices.first(where: { !matched.contains($0) }) {
      throw SettingError(
        key: "rules", value: "'\(rules[unused].pattern.printable)' in \(source.printable)",
        expected:
          "an expression that matches a module before other rules do; no module is left for it")
    }
    return plan
  }
}

extension BitMap: CustomStringConvertible {
  /// The choices by kind, as words that mean the same; rules of a file are counted.
  public var description: String {
    let words = Self.kinds.compactMap { kind in kinds[kind].map { "\(kind.rawValue)=\($0)" } }
    let rest = rules.isEmpty ? [] : [NumberText.counted(rules.count, "rule")]
    return (words + rest).joined(separator: ",")
  }
}

extension BitMap.Choice: CustomStringConvertible {
  /// As a map is written, for example `4g64s`.
  public var description: String {
    bits == Self.dense ? "16" : "\(bits)g\(group)\(isSymmetric ? "s" : "")"
  }
}

extension BitMap.Choice {
  /// The format; `nil` for no change.
  func format(inputs: Int) -> PackedFormat? {
    PackedFormat(
      isSymmetric ? .symmetric : .affine, bits: bits,
      group: PackedFormat.group(group, for: inputs))
  }

  fileprivate var isPossible: Bool {
    bits == Self.dense && PackedFormat.groups.contains(group)
      || PackedFormat(isSymmetric ? .symmetric : .affine, bits: bits, group: group) != nil
  }
}

/// What a map means for a model: the format of each of its linear layers.
public struct QuantizationPlan {
  /// A linear layer.
  public struct Module: Hashable, Sendable {
    /// Its name, without `.weight`.
    public var name: String
    /// What it does.
    public var kind: ModuleKind
    /// Outputs and inputs.
    public var shape: [Int]
    /// Its format; `nil` if it stays as it is.
    public var format: PackedFormat?
    /// The asked group, if it does not divide the inputs.
    public var askedGroup: Int?
  }

  /// All linear layers, in the order of the model.
  public private(set) var modules: [Module] = []

  init() {}

  mutating func add(
    _ name: String, _ kind: ModuleKind, _ shape: [Int], _ choice: BitMap.Choice
  ) {
    let format = choice.format(inputs: shape[1])
    let isCut = format != nil && !shape[1].isMultiple(of: choice.group)
    modules.append(
      Module(
        name: name, kind: kind, shape: shape, format: format,
        askedGroup: isCut ? choice.group : nil))
  }

  /// The formats by name.
  public var formats: [String: PackedFormat] {
    Dictionary(
      uniqueKeysWithValues: modules.compactMap { module in module.format.map { (module.name, $0) } }
    )
  }

  /// What to tell about the plan, one line each: groups that do not divide rows, and routers with few bits.
  public var notes: [String] {
    let routers = modules.filter { $0.kind == .router && $0.format.map { $0.bits < 8 } ?? false }
    guard let router = routers.first, let format = router.format else { return groupNotes }
    return groupNotes + [
      "\(NumberText.counted(routers.count, "router")) get \(format.bits) bits, which changes the experts that tokens choose; compare the models to see how many"
    ]
  }

  private var groupNotes: [String] {
    var counts: [String: Int] = [:]
    for module in modules {
      guard let asked = module.askedGroup, let format = module.format else { continue }
      let inputs = module.shape[1]
      let change =
        format.group == asked
        ? "the last group of a row has \(inputs % asked) inputs"
        : "groups of \(format.group) instead"
      counts["groups of \(asked) do not divide \(inputs) inputs: \(change)", default: 0] += 1
    }
    return counts.sorted { $0.key < $1.key }.map {
      "\($0.key) (\(NumberText.counted($0.value, "module")))"
    }
  }
}

extension PackedFormat {
  /// Bytes of a weight with scales of some size.
  public func bytes(shape: [Int], scale: Int = 2) -> Int {
    shape[0]
      * (rowBytes(inputs: shape[1]) + rowGroups(inputs: shape[1]) * scale * (hasBiases ? 2 : 1))
  }
}
