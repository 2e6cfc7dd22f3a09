import MoETracing

/// The report of `switchyard place` on a plan.
public struct PlacementReport: Codable, Hashable, Sendable {
  /// A weight of imbalance and its result on the judged tokens.
  public struct ParetoPoint: Codable, Hashable, Sendable {
    /// Weight of imbalance.
    public let weight: Double
    /// The fraction of transitions that change the rank.
    public let crossingShare: Double
    /// The largest load over the mean, averaged over layers.
    public let balance: Double
  }

  /// The method that made the plan.
  public let method: String
  /// The number of layers with experts.
  public let layers: Int
  /// The number of experts per layer.
  public let experts: Int
  /// Number of ranks.
  public let ranks: Int
  /// Number of nodes.
  public let nodes: Int
  /// The number of additional slots per layer.
  public let replicas: Int
  /// The number of tokens that the plan was fitted to.
  public let fittedTokens: Int
  /// The number of tokens that it is evaluated on.
  public let judgedTokens: Int
  /// Whether the judged tokens were held out.
  public let isHeldOut: Bool
  /// The plan on the fitted tokens.
  public let fitted: PlacementEvaluation
  /// The plan on the judged tokens.
  public let judged: PlacementEvaluation
  /// The linear plan on the judged tokens.
  public let linear: PlacementEvaluation
  /// Upper bound on the objective on the fitted tokens.
  public let bound: Double
  /// The bounds of each kind, in kept transitions of the fitted tokens.
  public let bounds: PlacementBound
  /// The largest possible distance of the plan from the optimum, on the fitted tokens.
  public let gap: Double
  /// Whether the plan was proved optimal for the fitted tokens.
  public let isOptimal: Bool
  /// The duration of the search in seconds.
  public let seconds: Double
  /// Crossings of shuffled tokens under the linear plan.
  public let nullLinear: Double
  /// Crossings of shuffled tokens under a plan fitted to shuffled tokens.
  public let nullSolved: Double
  /// Judged crossings by the number of tokens in the profile, without balance limits.
  public let profile: [PlacementStudy.ProfilePoint]
  /// The number of tokens whose plan saves 97 % of what all save; `nil` if nothing is saved.
  public let tokensNeeded: Int?
  /// Crossings against balance, if requested.
  public let pareto: [ParetoPoint]

  /// Evaluates an answer.
  ///
  /// - Parameters:
  ///   - answer: The answer to `problem`.
  ///   - problem: The problem of the study's fitted tokens.
  ///   - study: The trace in two parts.
  ///   - solver: The solver of the answer, also used for the profile, the null hypothesis and the
  ///     Pareto front.
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

  /// The fraction of the linear plan's crossings that the plan saves on the judged tokens.
  public var saved: Double {
    linear.crossingShare > 0 ? 1 - judged.crossingShare / linear.crossingShare : 0
  }

  /// The fraction of the linear plan's crossings that is saved when tokens are shuffled.
  public var savedByNull: Double { nullLinear > 0 ? 1 - nullSolved / nullLinear : 0 }
}
