public import MoECore

/// A format of plan files: Switchyard's, or that of an engine that can load one.
public struct PlanFormat: NamedEntry {
  /// The name in options.
  public let name: String
  /// One line about the format.
  public let help: String
  /// Writes a legal plan as text.
  let text: @Sendable (_ plan: PlacementPlan, _ modelLayers: Int?) throws -> String
  /// Reads the plan from a file's bytes; it may be illegal.
  let plan: @Sendable (_ bytes: [UInt8], _ hints: PlanHints) throws -> PlacementPlan

  /// The largest file that is read.
  static let byteLimit = 256_000_000

  /// Creates a format.
  ///
  /// - Parameters:
  ///   - name: The name in options.
  ///   - help: One line about it, without a full stop.
  ///   - text: Writes the whole file of a legal plan; the second argument is the number of layers
  ///     of the whole model, dense ones included, if known. Throws if the format cannot represent
  ///     the plan.
  ///   - plan: Reads the whole file, without validating the plan. Throws ``PlanRefusal`` if it is
  ///     not a plan.
  public init(
    _ name: String, help: String,
    text: @escaping @Sendable (_ plan: PlacementPlan, _ modelLayers: Int?) throws -> String,
    plan: @escaping @Sendable (_ bytes: [UInt8], _ hints: PlanHints) throws -> PlacementPlan
  ) {
    (self.name, self.help, self.text, self.plan) = (name, help, text, plan)
  }
}

/// The formats of plan files that can be named.
public enum PlanFormats {
  /// The formats by name, Switchyard's first.
  public static let registry = Registry<PlanFormat>(
    "plan format", [.plan, .exflow, .sglang, .ascend, .tensorrt])
}

extension PlanFormat {
  /// The format that bytes seem to have, by words that no other format has.
  static func guess(_ bytes: [UInt8]) -> PlanFormat? {
    let text = String(decoding: bytes.prefix(1 << 16), as: UTF8.self)
    let known: [(word: String, format: PlanFormat)] = [
      ("\"physical_to_logical_map\"", .sglang), ("\"moe_layer_count\"", .ascend),
      ("initial_global_assignments:", .tensorrt), ("Expert,Node", .exflow), ("\"slots\"", .plan),
    ]
    return known.first { text.contains($0.word) }?.format
  }
}

/// What a file in another system's format does not say.
public struct PlanHints: Hashable, Sendable {
  /// Number of ranks; formats without it need it.
  public var ranks: Int?
  /// Experts per layer (default: one more than the largest in the file).
  public var experts: Int?
  /// The model's layers with experts (default: all that the file has).
  public var layerIDs: [Int]?
  /// Number of nodes.
  public var nodes: Int

  /// Creates hints.
  public init(ranks: Int? = nil, experts: Int? = nil, layerIDs: [Int]? = nil, nodes: Int = 1) {
    (self.ranks, self.experts, self.layerIDs, self.nodes) = (ranks, experts, layerIDs, nodes)
  }
}

/// Why bytes are not a plan; the reader adds the file's path.
public struct PlanRefusal: Error {
  let message: String

  /// Creates a refusal that says what is wrong and what was expected.
  public init(_ message: String) { self.message = message.printable }
}
