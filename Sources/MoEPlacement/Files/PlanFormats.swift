public import MoECore

/// A format of plan files: our own, or that of an engine that can load one.
public struct PlanFormat: NamedEntry {
  /// As options spell it.
  public let name: String
  /// One line about the format.
  public let help: String
  /// The text of a legal plan.
  let text: @Sendable (_ plan: PlacementPlan, _ modelLayers: Int?) throws -> String
  /// The plan in a file's bytes, which may be illegal.
  let plan: @Sendable (_ bytes: [UInt8], _ hints: PlanHints) throws -> PlacementPlan

  /// The largest file that is read.
  static let byteLimit = 256_000_000

  /// Describes a format.
  ///
  /// - Parameters:
  ///   - name: As options spell it.
  ///   - help: One line about it, without a full stop.
  ///   - text: Makes the whole file of a legal plan; the second argument is the number of layers of the whole model,
  ///     dense ones included, where it is known. Throws what the format cannot hold.
  ///   - plan: Reads the whole file, without judging the plan. Throws ``PlanRefusal`` for what is not a plan.
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
  /// The formats by name, our own first.
  public static let registry = Registry<PlanFormat>(
    "plan format", [.plan, .exflow, .sglang, .ascend, .tensorrt])
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

  /// Collects what is known.
  public init(ranks: Int? = nil, experts: Int? = nil, layerIDs: [Int]? = nil, nodes: Int = 1) {
    (self.ranks, self.experts, self.layerIDs, self.nodes) = (ranks, experts, layerIDs, nodes)
  }
}

/// Why bytes are not a plan; the reader adds the file.
public struct PlanRefusal: Error {
  let message: String

  /// Says what is wrong and what was expected.
  public init(_ message: String) { self.message = message.printable }
}
