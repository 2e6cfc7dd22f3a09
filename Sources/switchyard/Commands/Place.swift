import ArgumentParser
import MoEPlacement
import MoETracing
import SystemPackage

struct Place: WritesFiles {
  static let configuration = CommandConfiguration(
    abstract: "Choose a rank for every expert, so that tokens travel less.",
    discussion: """
      A token crosses when its experts in neighbouring layers are on different ranks. By default \
      the plan is computed from the first half of the trace and evaluated on the second. It is \
      compared with the linear plan, with a bound that no plan can beat, and with the same method \
      on shuffled tokens, whose saving is not due to affinity.

      --ranks counts all ranks; they divide into --nodes. --cost sets how much more a transfer \
      between nodes costs than one within a node.

      Fewer crossings save traffic only where tokens stay where their last expert was; engines \
      that bring each token home after every layer benefit only from balance.

      Copies go to the busiest experts, which does not serve crossings: on traces that were studied, plans with \
      replicas keep 83 to 99 % of the transitions that a legal plan can keep.

      Files of counts say nothing about crossings: --method eplb, the default for them, balances their loads. Several \
      files, such as one per rank, are added.

      Examples:
        switchyard place trace.safetensors --ranks 4 --out plan.json
        switchyard place trace.safetensors --nodes 2 --ranks 16 --cost 8 --replicas 16 --balance 1.1 --export sglang=map.json
        switchyard place rank-0.csv rank-1.csv --ranks 8 --replicas 16 --out plan.json
      """)

  @Argument(help: "Routing trace, or file of counts.", completion: .file()) var trace: PathArgument
  @Argument(help: "More files of counts, to be added.", completion: .file())
  var others: [PathArgument] = []
  @Option(help: "Total number of ranks (devices).") var ranks: Int
  @Option(help: "Nodes that the ranks divide into.") var nodes = 1
  @Option(help: "Cost of a transfer between nodes; one within a node costs 1.") var cost = 1.0
  @Option(help: "How to solve.") var method: PlacementMethod = .auto
  @Option(help: "Integer program of --method milp: tokens, aggregated, strengthened.")
  var form: IntegerProgramSolver.Form = .strengthened
  @Option(help: "Additional slots per layer for copies of busy experts.") var replicas = 0
  @Option(help: "Largest load of a rank over the mean, per layer.") var balance: Double?
  @Option(help: "Weight of imbalance against crossings in the objective.") var imbalanceWeight = 0.0
  @Option(help: "Maximum search time in seconds.") var timeLimit: Double?
  @Option(help: "Fraction of the tokens to evaluate on; 0 solves and evaluates on all.")
  var heldOut = Self.halfHeldOut
  @Option(help: "Seed of the random numbers.") var seed: UInt64 = 0
  @Flag(help: "Show crossings against balance for increasing weights of imbalance.")
  var pareto = false
  @Option(help: "Write the plan to this file.", completion: .file()) var out: PathArgument?
  @Option(help: "Write the plan for an engine: \(PlanFormat.exportForms(without: .plan)).")
  var export: [PlanExport] = []
  @Option(help: "Layers of the whole model, for SGLang (default: up to the last with experts).")
  var modelLayers: Int?
  @OptionGroup var files: OverwriteOption
  @Flag(help: "Print one JSON object instead of text.") var json = false

  func validate() throws {
    guard ranks >= 1, nodes >= 1, ranks.isMultiple(of: nodes) else {
      throw ValidationError(
        "--ranks is \(ranks) and --nodes \(nodes); ranks must be a multiple of nodes, both at least 1."
      )
    }
    guard (0..<1).contains(heldOut) else {
      throw ValidationError(
        "--held-out is \(heldOut); it must be a number of at least 0 and below 1.")
    }
    guard timeLimit ?? 1 > 0, timeLimit?.isFinite ?? true else {
      throw ValidationError(
        "--time-limit is \(timeLimit ?? 0); it must be a finite number above 0.")
    }
    guard ranks <= PlacementTopology.maximumRanks else {
      throw ValidationError(
        "--ranks is \(ranks); it must be at most \(PlacementTopology.maximumRanks).")
    }
    try PlanArguments.check(cost: cost)
    guard replicas >= 0 else {
      throw ValidationError("--replicas is \(replicas); it must be at least 0.")
    }
    guard balance ?? 1 >= 1, balance?.isFinite ?? true else {
      throw ValidationError(
        "--balance is \(balance ?? 0); it must be a finite number of at least 1.")
    }
    guard 0...PlacementProblem.maximumWeight ~= imbalanceWeight else {
      throw ValidationError(
        "--imbalance-weight is \(imbalanceWeight); it must be a number from 0 to \(Int(PlacementProblem.maximumWeight))."
      )
    }
    try PlanArguments.check(modelLayers: modelLayers)
  }

  func run() throws {
    try files.check(
      [out?.path] + export.map(\.path), inputs: [trace.path] + others.map(\.path))
    let topology = try PlacementTopology(
      nodes: nodes, ranksPerNode: ranks / nodes, costBetweenNodes: cost)
    switch try RoutingSource(trace.path, adding: others.map(\.path)) {
    case .trace(let trace): try place(trace, topology)
    case .counts(let counts): try balance(counts, topology)
    }
  }

  private var settings: PlacementMethod.Settings {
    PlacementMethod.Settings(timeLimit: timeLimit, form: form, seed: seed)
  }

  private func place(_ trace: RoutingTrace, _ topology: PlacementTopology) throws {
    let study = try PlacementStudy(trace, heldOut: heldOut)
    let problem = try PlacementProblem(
      study.counts(study.fitted), topology: topology, replicas: replicas, balanceLimit: balance,
      imbalanceWeight: imbalanceWeight)
    let solver = method.solver(settings)
    let answer = try solver.solve(problem)
    let report = try PlacementReport(
      answer, problem, study, solver: solver, pareto: pareto ? Self.weights : [])
    try write(answer.plan)
    if json { try Output.json(report) } else { Output.line(report.text) }
  }

  private func balance(_ counts: RoutingCounts, _ topology: PlacementTopology) throws {
    try refuseOptionsOfTraces()
    let problem = try PlacementProblem(
      loadsOf: counts, topology: topology, replicas: replicas, balanceLimit: balance)
    let (report, plan) = try BalanceReport.solving(
      counts, problem, method: method, settings: settings)
    try write(plan)
    if json { try Output.json(report) } else { Output.line(report.text) }
  }

  /// Refuses options about crossings or single tokens, which counts do not know.
  private func refuseOptionsOfTraces() throws {
    let given = [
      ("--pareto", pareto), ("--held-out", heldOut != Self.halfHeldOut),
      ("--imbalance-weight", imbalanceWeight != 0),
    ]
    guard let option = given.first(where: \.1)?.0 else { return }
    throw ValidationError(
      "\(option) is for traces; \(trace.path) holds counts, which say nothing about single tokens and their crossings."
    )
  }

  private func write(_ plan: PlacementPlan) throws {
    if let out { try plan.write(to: out.path, modelLayers: modelLayers) }
    for export in export {
      try plan.write(to: export.path, as: export.format, modelLayers: modelLayers)
    }
  }

  private static let halfHeldOut = 0.5
  private static let weights = [0, 0.03, 0.1, 0.3, 1, 3]
}
