package import MoECore
public import MoERouting

/// The configuration of a ``MixedLayer``.
public struct MixtureConfiguration: Hashable, Sendable {
  /// The experts' kinds, in their order; at least one.
  public var experts: [ExpertKind]
  /// Width of the encoder's vectors.
  public var inputs: Int
  /// Width of the projected vectors, which gate and experts read.
  public var width: Int
  /// Inner width of a feed-forward expert, and state width of a recurrent expert.
  public var expertSize: Int
  /// Output width: the number of classes, or 1 for a score.
  public var outputs: Int
  /// The rule of the gate.
  public var router: SingleExpertRouter

  /// Creates a configuration; the defaults are those of the released Hecto model.
  public init(
    experts: [ExpertKind], inputs: Int, width: Int = 256, expertSize: Int = 128, outputs: Int,
    router: SingleExpertRouter
  ) {
    (self.experts, self.inputs, self.width) = (experts, inputs, width)
    (self.expertSize, self.outputs, self.router) = (expertSize, outputs, router)
  }

  /// Keys of the section that describes a head.
  package static let keys = ["experts", "width", "expert_size", "temperature", "gate_gradient"]

  /// Reads the keys of ``keys``.
  package init(_ json: ConfigurationObject, inputs: Int, outputs: Int) throws {
    let names = try json.optionalStrings("experts") ?? ["ff", "gru"]
    let registry = ExpertKinds.registry
    let kinds = names.compactMap { registry[$0] }
    guard kinds.count == names.count, 1...1024 ~= kinds.count else {
      let known = registry.names.map { "'\($0)'" }.joined(separator: ", ")
      throw json.invalid("experts", "a list of experts, each one of \(known)")
    }
    self.init(
      experts: kinds, inputs: inputs,
      width: try json.optionalInt("width", in: CommonKeys.size) ?? 256,
      expertSize: try json.optionalInt("expert_size", in: CommonKeys.size) ?? 128,
      outputs: outputs,
      router: try SingleExpertRouter(
        temperature: try json.optionalNumber("temperature") ?? 1.5,
        gradient: json.has("gate_gradient") ? try json.choice("gate_gradient") : .straightThrough))
  }

  /// The keys and values that ``init(_:inputs:outputs:)`` reads.
  package var json: JSONObject {
    [
      "experts": .array(experts.map { .string($0.name) }), "width": .number(Double(width)),
      "expert_size": .number(Double(expertSize)), "temperature": .number(router.temperature),
      "gate_gradient": .string(router.gradient.rawValue),
    ]
  }
}
