import MoECore
public import MoETracing

/// Load and affinity over the steps of a training run, from traces of the same text.
///
/// - SeeAlso: Yao et al. 2024, *Exploiting Inter-Layer Expert Affinity*, arXiv:2401.08383, figures
///   11 and 12.
public struct CheckpointReport: Codable, Hashable, Sendable {
  /// The model at one step.
  public struct Step: Codable, Hashable, Sendable {
    /// Load and affinity.
    public var affinity: AffinityStep
    /// The fraction of tokens' first experts that are the same as at the last step.
    public var agreement: Double
    /// Divergence of loads from those of the last step, averaged over layers.
    public var drift: Double
    /// The fraction of transitions that a plan for this step keeps on their device, on held-out
    /// tokens; `nil` if experts do not divide evenly over the devices.
    public var kept: Double?
    /// The same with experts placed by index.
    public var keptByNumber: Double?
  }

  /// Name of the run.
  public var name: String
  /// The number of tokens in each trace.
  public var tokens: Int
  /// The number of sparse layers.
  public var layers: Int
  /// The number of experts per layer.
  public var experts: Int
  /// The number of slots per token and layer.
  public var k: Int
  /// The number of devices in ``Step/kept``.
  public var devices: Int
  /// The steps in ascending order.
  public var steps: [Step]
  /// The interpretation, in sentences.
  public var diagnosis: [String]

  /// The number of tokens read at a time.
  private static let block = 4096

  /// Measures the traces of a run.
  ///
  /// - Parameters:
  ///   - traces: Steps in ascending order and their traces, of the same text by models of the same
  ///     shape; at least one.
  ///   - name: Name of the run.
  ///   - devices: The number of devices to place experts on.
  ///   - timeLimit: The longest search for one plan, in seconds.
  /// - Throws: ``PlacementError/invalidProblem(message:)`` for traces that do not match, or an
  ///   error of a trace.
  public init(
    _ traces: [(step: Int, trace: RoutingTrace)], name: String, devices: Int,
    timeLimit: Double = 1
  ) throws {
    guard let last = traces.last?.trace else {
      throw PlacementError.invalidProblem(message: "there is no trace to compare")
    }
    for (step, trace) in traces
    where trace.tokenCount != last.tokenCount || trace.header.layers != last.header.layers
      || trace.header.experts != last.header.experts || trace.header.k != last.header.k
    {
      throw PlacementError.invalidProblem(
        message:
          "the trace of step \(step) has other tokens, layers or experts than the last one; trace the same text with models of one run"
      )
    }
    (self.name, self.devices, tokens) = (name, devices, last.tokenCount)
    (layers, experts, k) = (last.header.layers.count, last.header.experts, last.header.k)
    let final = try RoutingCounts(last, tables: [.firstTransitions])
    steps = try traces.map { step, trace in
      let counts = try RoutingCounts(trace, tables: [.firstTransitions])
      let drift = try Drift(from: counts, to: final, deals: 1).loads
      let kept = try Self.kept(trace, devices: devices, timeLimit: timeLimit)
      return Step(
        affinity: AffinityStep(step: step, counts),
        agreement: try Self.agreement(trace, last),
        drift: drift.reduce(0, +) / Double(max(1, drift.count)), kept: kept?.plan,
        keptByNumber: kept?.linear)
    }
    diagnosis = []
    diagnosis = sentences
  }

  private static func agreement(_ left: RoutingTrace, _ right: RoutingTrace) throws -> Double {
    let k = left.header.k
    var (same, all) = (0, 0)
    for start in stride(from: 0, to: left.tokenCount, by: block) {
      let range = start..<min(start + block, left.tokenCount)
      let (a, b) = (try left.experts(in: range), try right.experts(in: range))
      for place in stride(from: 0, to: a.count, by: k) {
        all += 1
        if a[place] == b[place] { same += 1 }
      }
    }
    return all > 0 ? Double(same) / Double(all) : 1
  }

  private static func kept(
    _ trace: RoutingTrace, devices: Int, timeLimit: Double
  ) throws -> (plan: Double, linear: Double)? {
    guard trace.header.experts.isMultiple(of: devices), trace.header.layers.count > 1,
      trace.tokenCount > 1
    else { return nil }
    let study = try PlacementStudy(trace, heldOut: 0.5)
    let problem = try PlacementProblem(
      study.counts(study.fitted), topology: PlacementTopology(ranksPerNode: devices))
    let judged = try study.counts(study.judged)
    let target = try problem.counting(
      loads: judged.loads.map { $0.map(Double.init) }, transitions: judged.weightedTransitions ?? []
    )
    let plan = try AutomaticSolver(timeLimit: timeLimit).search(problem).plan
    let linear = try LinearSolver().search(problem).plan
    return (
      1 - (try PlacementEvaluation(plan, of: target)).crossingShare,
      1 - (try PlacementEvaluation(linear, of: target)).crossingShare
    )
  }

  private var sentences: [String] {
    guard let first = steps.first, let last = steps.last, steps.count > 1 else {
      return ["There is only one model; keep snapshots (checkpoints.snapshots) to see it change."]
    }
    func percent(_ fraction: Double) -> String { NumberText.percent(fraction, rounding: .scaled) }
    func digits(_ value: Double) -> String { NumberText.decimals(value, 2) }
    var result = [
      "From step \(first.affinity.step) to \(last.affinity.step) the busiest expert goes from \(digits(first.affinity.imbalance)) to \(digits(last.affinity.imbalance)) times the mean load, and what an expert tells about the next layer's, beyond chance, from \(percent(first.affinity.excessShare)) to \(percent(last.affinity.excessShare))."
    ]
    if let settled = steps.first(where: { $0.agreement >= 0.9 }), settled != last {
      result.append(
        "Routing settles by step \(settled.affinity.step): from there, at least 90 % of first experts are the final ones."
      )
    } else if let before = steps.dropLast().last {
      result.append(
        "Routing still moves: at step \(before.affinity.step) only \(percent(before.agreement)) of first experts are the final ones. Make a placement from the finished model."
      )
    }
    if let start = first.kept, let end = last.kept, let number = last.keptByNumber {
      result.append(
        "A plan for \(devices) devices keeps \(percent(start)) of transitions on their device at first and \(percent(end)) at the end (\(percent(number)) with experts placed by number)."
      )
    }
    return result
  }
}
