public import MoECore
public import MoETracing

/// What routing does, with advice about placement: everything that is said about a trace.
///
/// As JSON it is the report, and the advice beside it under `placement`.
public struct RoutingInspection: Encodable, Sendable {
  /// Load, affinity and specialization, and what they mean.
  public private(set) var report: TraceReport
  /// What placing experts and balancing could save; `nil` for counts, and where experts do not divide over the devices.
  public private(set) var placement: PlacementAdvice?

  /// Tokens of each part of a trace beyond which advice does not change.
  private static let adviceTokens = 1_000_000

  /// Measures routing.
  ///
  /// - Parameters:
  ///   - source: A trace, or counts.
  ///   - classes: Kinds of the trace's tokens; `nil` to tell none apart.
  ///   - devices: Devices to place experts on.
  ///   - progress: Receives progress.
  /// - Throws: `TracingError` for a damaged trace, or ``PlacementError``.
  public init(
    _ source: RoutingSource, classes: TokenClasses? = nil, devices: Int,
    progress: ProgressHandler = { _ in }
  ) throws {
    switch source {
    case .counts(let counts): report = TraceReport(counts)
    case .trace(let trace):
      report = try TraceReport(trace, classes: classes, progress: progress)
      try advise(trace, devices: devices, progress)
    }
  }

  private mutating func advise(
    _ trace: RoutingTrace, devices: Int, _ progress: ProgressHandler
  ) throws {
    guard trace.tokenCount >= 2, !report.layers.isEmpty, report.experts >= devices else { return }
    guard report.experts.isMultiple(of: devices) else {
      report.diagnosis.append(
        "\(report.experts) experts do not divide over \(devices) devices; choose another number of devices to learn what placement saves."
      )
      return
    }
    let study = try PlacementStudy(trace, heldOut: 0.5, limit: Self.adviceTokens)
    guard report.layers.count > 1 else { return try adviseBalance(study, devices: devices) }
    let advice = try PlacementAdvice(study, devices: devices, progress: progress)
    report.diagnosis += advice.sentences
    placement = advice
  }

  /// Says what a plan that only balances changes, where there is one layer and so no crossing.
  private mutating func adviseBalance(_ study: PlacementStudy, devices: Int) throws {
    let problem = try PlacementProblem(
      study.counts(study.fitted), topology: PlacementTopology(ranksPerNode: devices))
    let counts = try study.counts(study.judged)
    let target = try problem.counting(
      loads: counts.loads.map { $0.map(Double.init) }, transitions: counts.weightedTransitions ?? []
    )
    let plans = [try LinearSolver().search(problem), try LoadBalanceSolver().search(problem)]
    let loads = try plans.map {
      NumberText.decimals(try PlacementEvaluation($0.plan, of: target).meanBalance, 2)
    }
    report.diagnosis.append(
      "On \(devices) devices with experts placed in order, the busiest has \(loads[0]) times the mean load on held-out tokens; balanced, \(loads[1]) times."
    )
  }

  private enum CodingKeys: String, CodingKey { case placement }

  /// Writes one object: the keys of the report, and `placement`.
  public func encode(to encoder: any Encoder) throws {
    try report.encode(to: encoder)
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeIfPresent(placement, forKey: .placement)
  }
}
