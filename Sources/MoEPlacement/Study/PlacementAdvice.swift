public import MoECore
import MoETracing

/// What placement and balancing could gain on a few devices, in numbers and sentences, as a basis
/// for a decision.
///
/// Plans are fitted to one part of the trace and evaluated on the other.
public struct PlacementAdvice: Codable, Hashable, Sendable {
  /// The number of devices among which every layer's experts are divided.
  public var devices: Int
  /// The number of tokens that plans were fitted to.
  public var fittedTokens: Int
  /// The number of tokens that plans are evaluated on.
  public var judgedTokens: Int
  /// The fraction of the judged transitions that change the device with experts placed by index.
  public var linearCrossings: Double
  /// The same under the plan with the fewest crossings found.
  public var plannedCrossings: Double
  /// A lower bound for all plans, on the fitted tokens.
  public var fewestCrossings: Double
  /// The fraction of the linear plan's crossings that the plan saves.
  public var saved: Double
  /// The same on shuffled tokens, where only experts' popularity is left.
  public var savedByNull: Double
  /// An upper bound for all plans, on the fitted tokens.
  public var mostSaved: Double
  /// The number of tokens whose plan saves 97 % of what all save; `nil` if nothing is saved.
  public var tokensNeeded: Int?
  /// Crossings by the number of tokens in the profile.
  public var profile: [PlacementStudy.ProfilePoint]
  /// The largest load of a device over the mean, averaged over layers, with experts placed by
  /// index.
  public var linearBalance: Double
  /// The same under the plan with the fewest crossings.
  public var plannedBalance: Double
  /// The same under a plan that only balances.
  public var balancedBalance: Double
  /// The fraction of the time of a layer's slowest device that balancing saves.
  public var savedByBalancing: Double
  /// The plan that weighs both.
  public var compromise: Compromise
  /// The interpretation, in sentences.
  public var sentences: [String]

  /// A plan that weighs crossings against balance.
  public struct Compromise: Codable, Hashable, Sendable {
    /// The weight of imbalance in the plan's objective.
    public var weight: Double
    /// The fraction of the linear plan's crossings that it saves.
    public var saved: Double
    /// The largest load of a device over the mean, averaged over layers.
    public var balance: Double
  }

  /// Weight of imbalance in ``compromise``, as ``PlacementProblem/imbalanceWeight`` takes it.
  private static let weight = 0.3

  /// Solves and evaluates the plans.
  ///
  /// - Parameters:
  ///   - study: The trace in two parts.
  ///   - devices: The number of devices, on one node.
  ///   - timeLimit: The longest search for one plan, in seconds; only large problems reach it.
  ///   - progress: Receives progress.
  /// - Throws: ``PlacementError`` if experts do not divide evenly over the devices, or a trace's
  ///   error.
  public init(
    _ study: PlacementStudy, devices: Int, timeLimit: Double = 0.6,
    progress: ProgressHandler = { _ in }
  ) throws {
    func show(_ step: Int) { progress(Progress("placing experts", completed: step, total: 4)) }
    show(0)
    let problem = try PlacementProblem(
      study.counts(study.fitted), topology: PlacementTopology(ranksPerNode: devices))
    let solver = AutomaticSolver(timeLimit: timeLimit)
    let answer = try solver.solve(problem)
    show(1)
    let report = try PlacementReport(answer, problem, study, solver: solver)
    show(3)
    let counts = try study.counts(study.judged)
    let target = try problem.counting(
      loads: counts.loads.map { $0.map(Double.init) }, transitions: counts.weightedTransitions ?? []
    )
    let balanced = try PlacementEvaluation(LoadBalanceSolver().search(problem).plan, of: target)
    let both = try PlacementEvaluation(
      solver.search(problem.weighting(imbalance: Self.weight)).plan, of: target)
    let linearFitted = try PlacementEvaluation(LinearSolver().search(problem).plan, of: problem)
    self.devices = devices
    (fittedTokens, judgedTokens) = (study.fitted.count, study.judged.count)
    (linearCrossings, plannedCrossings) = (report.linear.crossingShare, report.judged.crossingShare)
    let total = report.fitted.transitions
    fewestCrossings = total > 0 ? max(0, 1 - report.bound / total) : 0
    (saved, savedByNull) = (report.saved, report.savedByNull)
    mostSaved =
      linearFitted.crossingShare > 0 ? max(0, 1 - fewestCrossings / linearFitted.crossingShare) : 0
    (tokensNeeded, profile) = (report.tokensNeeded, report.profile)
    (linearBalance, plannedBalance) = (report.linear.meanBalance, report.judged.meanBalance)
    balancedBalance = balanced.meanBalance
    savedByBalancing = 1 - balanced.meanBalance / report.linear.meanBalance
    compromise = Compromise(
      weight: Self.weight,
      saved: linearCrossings > 0 ? 1 - both.crossingShare / linearCrossings : 0,
      balance: both.meanBalance)
    sentences = []
    sentences = [crossings, balancing, together, nothing].compactMap { $0 }
  }

  /// The savings beyond popularity, as a fraction of the linear plan's crossings, at least 0.
  public var savedByAffinity: Double { max(0, saved - max(0, savedByNull)) }

  private var crossings: String {
    let start =
      "On \(devices) devices with experts placed in order, \(percent(linearCrossings)) of the steps from layer to layer change the device."
    guard saved > 0.005 else {
      return start
        + " A plan made of \(fittedTokens) tokens saves none of these crossings on the other \(judgedTokens): placement has nothing to gain here."
    }
    let source =
      savedByNull <= 0.005
      ? "shuffled tokens give nothing, so all of it is affinity between layers"
      : savedByNull >= saved - 0.005
        ? "popularity alone would give \(percent(savedByNull)), so none of it is affinity between layers"
        : "popularity alone would give \(percent(savedByNull)), the rest is affinity between layers"
    let needed = tokensNeeded.map { " A profile of \($0) tokens is enough." } ?? ""
    return start
      + " Placement saves \(percent(saved)) of these crossings on held-out tokens (\(source)), and no placement could save more than \(percent(mostSaved)), because tokens spread from each expert over more successors than a device holds."
      + needed
  }

  private var balancing: String {
    let start =
      "The busiest device has \(decimals(linearBalance)) times the mean load."
    guard savedByBalancing > 0.02 else {
      return start
        + " Exchanging experts between devices saves \(percent(max(0, savedByBalancing))) of its time on held-out tokens: nothing worth doing."
    }
    return start
      + " Exchanging experts between devices lowers that to \(decimals(balancedBalance)) on held-out tokens, \(percent(savedByBalancing)) less time for the slowest device of a layer."
  }

  /// Whether a plan that saves crossings loads a device so much more that both should be weighed.
  public var isWorthWeighing: Bool { saved > 0.02 && plannedBalance > linearBalance * 1.05 }

  private var together: String? {
    guard isWorthWeighing else { return nil }
    return
      "The plan with the fewest crossings raises that load to \(decimals(plannedBalance)). Weighing both, a plan saves \(percent(compromise.saved)) of the crossings at a load of \(decimals(compromise.balance)) (imbalance at a weight of \(compromise.weight))."
  }

  private var nothing: String {
    if saved < 0.05, savedByBalancing < 0.05 {
      return
        "Doing nothing is right here: neither placement nor balancing changes more than a twentieth."
    }
    let reasons =
      "an engine that returns every token to its home device after each layer gains nothing from fewer crossings; one device, or experts that are all on every device, gain nothing from either"
    return savedByBalancing < 0.05
      ? "Doing nothing is right where traffic between devices is not what you wait for: \(reasons)."
      : "Doing nothing is right where devices neither wait for traffic nor for one another: \(reasons)."
  }

  private func percent(_ fraction: Double) -> String {
    NumberText.percent(fraction, rounding: .scaled)
  }

  private func decimals(_ value: Double) -> String { NumberText.decimals(value, 2) }
}
