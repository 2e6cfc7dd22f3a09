public import MoECore

/// What a trace says about routing: plain values for terminals, pages and programs.
public struct TraceReport: Codable, Hashable, Sendable {
  /// A sparse layer.
  public struct Layer: Codable, Hashable, Sendable {
    /// Its index in the model.
    public var layer: Int
    /// Assignments per expert.
    public var load: [Int]
    /// Tokens per expert, counting only their first slot; empty if unknown.
    public var firstLoad: [Int]
    /// How even the loads are.
    public var statistics: LoadStatistics
    /// The pairs of experts that tokens most often choose together.
    public var coactivations: [Coactivation]
  }

  /// The model's name, if known.
  public var model: String?
  /// The origin of the trace.
  public var source: String?
  /// The number of tokens; `nil` if only loads are known.
  public var tokens: Int?
  /// The number of sequences.
  public var sequences: Int
  /// The number of experts per layer.
  public var experts: Int
  /// The number of slots per token and layer; `nil` if only loads are known.
  public var k: Int?
  /// The layers, in order.
  public var layers: [Layer]
  /// Statistics from each layer to the next; empty if only loads are known.
  public var transitions: [TransitionStatistics]
  /// Which kinds of tokens use different experts.
  public var specializations: [Specialization]
  /// Conditional probabilities from each layer to the next, `experts²` row-major; empty if only
  /// loads are known.
  public var affinities: [[Double]]
  /// How often experts of the layer with the strongest pair are chosen together; `nil` if a token
  /// has only one expert.
  public var coactivation: CoactivationTable?
  /// Whether tokens list their experts by index, so that the best one is unknown.
  public var isOrderedByNumber: Bool
  /// The interpretation, in sentences.
  public var diagnosis: [String]

  /// Reads and measures a trace, in a few passes with bounded memory.
  ///
  /// - Parameters:
  ///   - trace: The trace.
  ///   - classes: The class of each token id, if a tokenizer is known.
  ///   - progress: Receives progress.
  /// - Throws: ``TracingError`` for a damaged trace.
  public init(
    _ trace: RoutingTrace, classes: TokenClasses? = nil, progress: ProgressHandler = { _ in }
  ) throws {
    progress(Progress("measuring layers", completed: 0, total: trace.header.layers.count))
    let tables: RoutingCounts.Tables =
      trace.header.k > 1 ? [.firstTransitions, .coactivations] : [.firstTransitions]
    let counts = try RoutingCounts(trace, tables: tables)
    self.init(counts, progress: progress)
    (model, source) = (trace.header.model, trace.header.source)
    sequences = trace.sequenceStarts.count
    specializations = [
      try Specialization.bySource(trace), try Specialization.byPosition(trace),
      try Specialization.byOrigin(trace),
      try classes.flatMap { try Specialization.byTokenClass(trace, $0) },
    ].compactMap { $0 }
    isOrderedByNumber = try trace.listsExpertsByNumber()
    diagnosis = counts.remarks + TraceDiagnosis(self).sentences
  }

  /// Measures counts without a trace.
  ///
  /// - Parameters:
  ///   - counts: The counts.
  ///   - progress: Receives progress.
  public init(_ counts: RoutingCounts, progress: ProgressHandler = { _ in }) {
    (model, source, sequences, specializations) = (nil, nil, 0, [])
    (tokens, experts, k) = (counts.tokenCount, counts.expertCount, counts.k)
    layers = counts.layers.indices.map { place in
      Layer(
        layer: counts.layers[place], load: counts.loads[place],
        firstLoad: counts.firstLoads.isEmpty ? [] : counts.firstLoads[place],
        statistics: LoadStatistics(ExpertLoad(tokens: counts.loads[place])),
        coactivations: counts.coactivations.map {
          Coactivation.top($0[place], load: counts.loads[place], tokenCount: counts.tokenCount ?? 0)
        } ?? [])
    }
    let tables = counts.firstTransitions ?? []
    transitions = tables.enumerated().map { place, table in
      progress(Progress("measuring layers", completed: place + 1, total: tables.count + 1))
      return TransitionStatistics(table, experts: counts.expertCount)
    }
    affinities = (counts.firstTransitions ?? []).map {
      TransitionStatistics.affinity($0, experts: counts.expertCount)
    }
    coactivation = CoactivationTable.strongest(counts)
    isOrderedByNumber = false
    diagnosis = []
    diagnosis = counts.remarks + TraceDiagnosis(self).sentences
  }
}

/// Derives advice from a report's numbers.
struct TraceDiagnosis {
  private let report: TraceReport

  init(_ report: TraceReport) { self.report = report }

  var sentences: [String] {
    guard report.tokens ?? 1 > 0, !report.layers.isEmpty else {
      return ["The trace has no tokens, so there is nothing to report."]
    }
    return [balance, dead, affinity, order].compactMap { $0 } + specialization
  }

  private var balance: String {
    let values = report.layers.map(\.statistics.imbalance)
    let mean = values.reduce(0, +) / Double(values.count)
    let worst = report.layers.max { $0.statistics.imbalance < $1.statistics.imbalance }
    let place = worst.map { "layer \($0.layer), expert \($0.statistics.busiest)" } ?? ""
    let text =
      "The busiest expert of a layer has on average \(mean.short) times the mean load, at most \((values.max() ?? 1).short) times (\(place))."
    switch mean {
    case ..<1.25: return text + " That is even: replicating experts would gain little."
    case ..<2:
      return text
        + " With one expert per device, balancing could save up to \((1 - 1 / mean).percent) of the experts' time; with several per device, less."
    default:
      return text
        + " That is uneven: with one expert per device, up to \((1 - 1 / mean).percent) of the devices' time is waiting; replicate the busiest experts or balance the router."
    }
  }

  private var dead: String? {
    let dead = report.layers.filter { !$0.statistics.deadExperts.isEmpty }
    let count = dead.reduce(0) { $0 + $1.statistics.deadExperts.count }
    guard count > 0 else { return nil }
    let all = report.layers.count * report.experts
    let layers = "\(dead.count) \(dead.count == 1 ? "layer" : "layers")"
    let text = "\(count) of \(all) experts were never chosen, in \(layers)"
    guard let tokens = report.tokens, let k = report.k else { return text + "." }
    let expected = Double(tokens) * Double(k) / Double(report.experts)
    return text
      + (expected < 20
        ? "; with only \(expected.short) choices per expert on average that may be chance, so trace more tokens."
        : "; for this text they could be left out.")
  }

  private var affinity: String? {
    guard !report.transitions.isEmpty else {
      if report.tokens != nil, report.layers.count == 1 {
        return
          "One layer has no steps to another, so placement has no crossings to save: it can only balance loads."
      }
      return "Only loads are known, so the gain from placement by affinity is unknown."
    }
    let size = Double(report.transitions.count)
    func mean(_ value: (TransitionStatistics) -> Double) -> Double {
      report.transitions.reduce(0) { $0 + value($1) } / size
    }
    let (bits, null, share) = (
      mean(\.mutualInformation), mean(\.nullMean), mean(\.excessShare)
    )
    let text =
      "The first expert of a layer tells \(bits.short) bits about that of the next layer; chance and popularity alone would show \(null.short)."
    switch share {
    case ..<0.02:
      return text
        + " There is practically no affinity: what placement saves, if anything, is due to experts' popularity."
    case ..<0.15:
      return text
        + " That is a weak affinity (\(share.percent) of what could be known): expect placement to save little by it."
    default:
      return text
        + " That is a real affinity (\(share.percent) of what could be known): placing successors together can save crossings."
    }
  }

  private var order: String? {
    guard report.isOrderedByNumber else { return nil }
    return
      "Tokens list their experts by ascending index, not best first, so statements about first experts refer to those with the smallest index; with weights, the importer puts the best first. Loads, experts chosen together and placement use all experts and are not affected."
  }

  private var specialization: [String] {
    report.specializations.compactMap { kind in
      guard let best = kind.shares.indices.max(by: { kind.shares[$0] < kind.shares[$1] }),
        kind.shares[best] >= 0.01, kind.tokens.count(where: { $0 > 0 }) > 1
      else { return nil }
      return
        "Experts differ by \(kind.kind): an expert of layer \(report.layers[best].layer) tells \(kind.shares[best].percent) of it."
    }
  }
}

extension Double {
  fileprivate var short: String { NumberText.brief(self) }
  fileprivate var percent: String { NumberText.brief(self * 100) + " %" }
}
