import MoETracing

/// What `switchyard place` says about a plan.
public struct PlacementReport: Codable, Hashable, Sendable {
  /// A weight of imbalance and what it gives on the judged tokens.
  public struct ParetoPoint: Codable, Hashable, Sendable {
    /// Weight of imbalance.
    public let weight: Double
    /// Share of transitions that change the rank.
    public let crossingShare: Double
    /// Mean over the layers of the largest load over the mean.
    public let balance: Double
  }

  /// Method that made the plan.
  public let method: String
  /// Layers with experts.
  public let layers: Int
  /// Experts of each layer.
  public let experts: Int
  /// Number of ranks.
  public let ranks: Int
  /// Number of nodes.
  public let nodes: Int
  /// Additional slots per layer.
  public let replicas: Int
  /// Tokens that the plan was made of.
  public let fittedTokens: Int
  /// Tokens that judge it.
  public let judgedTokens: Int
  /// Whether the judged tokens were kept apart.
  public let isHeldOut: Bool
  /// The plan on the tokens it was made of.
  public let fitted: PlacementEvaluation
  /// The plan on the judged tokens.
  public let judged: PlacementEvaluation
  /// The linear plan on the judged tokens.
  public let linear: PlacementEvaluation
  /// Bound of the objective on the fitted tokens.
  public let bound: Double
  /// Bounds of each kind, as kept transitions of the fitted tokens.
  public let bounds: PlacementBound
  /// How far the plan can be from the best one, on the fitted tokens.
  public let gap: Double
  /// Whether the plan was proved best for the fitted tokens.
  public let isOptimal: Bool
  /// Seconds to the plan.
  public let seconds: Double
  /// Crossings of shuffled tokens, under the linear plan and under one made of shuffled tokens.
  public let nullLinear: Double
  /// See ``nullLinear``.
  public let nullSolved: Double
  /// Judged crossings by the number of tokens in the profile, without balance limits.
  public let profile: [PlacementStudy.ProfilePoint]
  /// Tokens whose plan saves 97 % of what all save; `nil` when nothing is saved.
  public let tokensNeeded: Int?
  /// Crossings against balance, when asked for.
  public let pareto: [ParetoPoint]

  /// Judges an answer.
  ///
  /// - Parameters:
  ///   - answer: The answer to `problem`.
  ///   - problem: The question of the study's fitted tokens.
  ///   - study: The trace in two parts.
  ///   - solver: What made the answer, for profile, null and front.
  ///   - pareto: Weights of imbalance to try.
  /// - Throws: ``PlacementError``, or an error of the trace.
  public init(
    _ answer: PlacementAnswer, _ problem: PlacementProblem, _ study: PlacementStudy,
    solver: any PlacementSolver, pareto: [Double] = []
  ) throws {
    isHeldOut = study.fitted != study.judged
    let counts = try study.counts(study.judged)
    let target =
      isHeldOut
      ? try problem.counting(
        loads: counts.loads.map { $0.map(Double.init) },
        transitions: counts.weightedTransitions ?? []) : problem
    let free = try problem.counting(loads: problem.loads, transitions: problem.transitions)
    (method, layers, experts) = (answer.finding.method, problem.layers, problem.experts)
    (ranks, nodes) = (problem.topology.ranks, problem.topology.nodes)
    (replicas, seconds) = (problem.replicas, answer.finding.seconds)
    (fittedTokens, judgedTokens) = (study.fitted.count, study.judged.count)
    fitted = answer.evaluation
    judged = try PlacementEvaluation(answer.plan, of: target)
    linear = try PlacementEvaluation(LinearSolver().search(free).plan, of: target)
    bounds = answer.bounds
    (bound, gap, isOptimal) = (answer.bound, answer.gap, answer.isOptimal)
    (nullLinear, nullSolved) = try study.null(free, with: solver)
    profile = isHeldOut ? try study.profile(free, judgedBy: target, with: solver) : []
    tokensNeeded = PlacementStudy.tokensNeeded(profile, baseline: linear.crossingShare)
    self.pareto = try pareto.map { weight in
      let plan = try solver.search(problem.weighting(imbalance: weight)).plan
      let found = try PlacementEvaluation(plan, of: target)
      return ParetoPoint(
        weight: weight, crossingShare: found.crossingShare, balance: found.meanBalance)
    }
  }

  /// Share of the linear plan's crossings that the plan saves on the judged tokens.
  public var saved: Double {
    linear.crossingShare > 0 ? 1 - judged.crossingShare / linear.crossingShare : 0
  }

  /// Share of the linear plan's crossings that is saved when tokens are shuffled.
  public var savedByNull: Double { nullLinear > 0 ? 1 - nullSolved / nullLinear : 0 }
}
