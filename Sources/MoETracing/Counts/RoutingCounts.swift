public import MoECore

/// How often experts were chosen, and how often one followed another: all that placement needs from
/// a trace.
///
/// Tables of expert pairs are row-major, `table[i · experts + p]`. Slots that a token does not use
/// are not counted.
public struct RoutingCounts: Hashable, Codable, Sendable {
  /// Which tables to fill; loads are always counted.
  public struct Tables: OptionSet, Hashable, Codable, Sendable {
    /// The bits of the options.
    public let rawValue: Int
    /// Creates a set from bits.
    public init(rawValue: Int) { self.rawValue = rawValue }
    /// ``RoutingCounts/firstTransitions``.
    public static let firstTransitions = Tables(rawValue: 1)
    /// ``RoutingCounts/pairTransitions``.
    public static let pairTransitions = Tables(rawValue: 2)
    /// ``RoutingCounts/weightedTransitions``.
    public static let weightedTransitions = Tables(rawValue: 4)
    /// ``RoutingCounts/coactivations``.
    public static let coactivations = Tables(rawValue: 8)
  }

  /// Indices of the sparse layers in the model, ascending.
  public var layers: [Int]
  /// The number of experts per layer.
  public var expertCount: Int
  /// The number of slots per token and layer; `nil` if only loads are known.
  public var k: Int?
  /// The number of counted tokens; `nil` if only loads are known.
  public var tokenCount: Int?
  /// Assignments per layer and expert, over all slots: `[layers][experts]`.
  public var loads: [[Int]]
  /// Tokens per layer and expert, counting only their first slot: `[layers][experts]`; empty if
  /// unknown.
  public var firstLoads: [[Int]]
  /// Sums of normalized weights per layer and expert: `[layers][experts]`.
  ///
  /// The weights of a token in a layer are normalized to sum to 1; without weights all slots in use
  /// count equally.
  public var weightedLoads: [[Double]]
  /// `[layers - 1][experts²]`: tokens whose first expert is `i` in a layer and `p` in the next one.
  public var firstTransitions: [[Int]]?
  /// `[layers - 1][experts²]`: pairs of an expert `i` that a token chose in a layer and an expert
  /// `p` that it chose in the next, over all slots.
  public var pairTransitions: [[Int]]?
  /// `[layers - 1][experts²]`: sums of `w(i) · w(p)` over the same pairs, where the weights of a
  /// token in a layer are normalized to sum to 1; without weights in the trace, all slots in use
  /// weigh the same.
  public var weightedTransitions: [[Double]]?
  /// `[layers][experts²]`: tokens that chose both `i` and `p` in a layer; symmetric, 0 on the
  /// diagonal.
  public var coactivations: [[Int]]?
  /// What the file leaves open or does wrong, in sentences.
  public var remarks: [String]

  /// Collects counts, for example from a file that holds nothing else.
  public init(
    layers: [Int], expertCount: Int, k: Int?, tokenCount: Int?, loads: [[Int]],
    firstLoads: [[Int]], weightedLoads: [[Double]], firstTransitions: [[Int]]? = nil,
    pairTransitions: [[Int]]? = nil, weightedTransitions: [[Double]]? = nil,
    coactivations: [[Int]]? = nil, remarks: [String] = []
  ) {
    (self.layers, self.expertCount, self.k, self.tokenCount) = (layers, expertCount, k, tokenCount)
    (self.loads, self.firstLoads, self.weightedLoads) = (loads, firstLoads, weightedLoads)
    (self.firstTransitions, self.pairTransitions) = (firstTransitions, pairTransitions)
    (self.weightedTransitions, self.coactivations) = (weightedTransitions, coactivations)
    self.remarks = remarks
  }

  /// Counts a trace in one pass; only the tables need memory.
  ///
  /// - Parameters:
  ///   - trace: The trace.
  ///   - range: The tokens to count; `nil` for all. Ranges split a trace into a part to solve on
  ///     and one to report on.
  ///   - tables: What to count besides loads.
  /// - Throws: ``TracingError/expertOutOfRange(_:token:layer:expert:experts:)`` for a damaged
  ///   trace, or ``TracingError/invalidRequest(_:)`` if the tables would take more than 8 GB.
  /// - Complexity: O(tokens · layers · k), and O(tokens · layers · k²) for tables of all slots.
  public init(
    _ trace: RoutingTrace, in range: Range<Int>? = nil,
    tables: Tables = [.firstTransitions, .weightedTransitions]
  ) throws {
    let header = trace.header
    let counter = try RoutingCounter(header, tables: tables, hasWeights: trace.hasWeights)
    try trace.forEachBlock(in: range) { counter.add($0) }
    self = counter.counts(tokens: (range ?? 0..<trace.tokenCount).count)
  }

  /// The load of each layer over all slots.
  public var layerLoads: [ExpertLoad] { loads.map { ExpertLoad(tokens: $0) } }
}
