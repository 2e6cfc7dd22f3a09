import ArgumentParser
import MoECore
import MoEPlacement
import MoETracing
import SystemPackage

struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Show, compare, check, evaluate and convert placement plans.",
    discussion: """
      Example:
        switchyard plan check plan.json
      """,
    subcommands: [
      PlanShow.self, PlanDiff.self, PlanCheck.self, PlanEvaluate.self, PlanConvert.self,
    ])
}

/// A plan file, and options for what its format leaves open.
struct PlanArguments: ParsableArguments {
  @Option(help: "Format of the file.") var format: PlanFormat = .plan
  @Option(help: "Number of ranks, where the format does not say.") var ranks: Int?
  @Option(help: "Experts per layer, where the format does not say.") var experts: Int?
  @Option(help: "The model's layers with experts, such as 1-26, where the format does not say.")
  var layers: LayerList?
  @Option(help: "Number of nodes, where the format does not say.") var nodes = 1

  func validate() throws {
    for (name, value) in [("--ranks", ranks), ("--experts", experts), ("--nodes", nodes)] {
      guard value ?? 1 >= 1 else {
        throw ValidationError("\(name) is \(value ?? 0); it must be at least 1.")
      }
    }
  }

  /// Rejects a model without layers, or with more than any.
  static func check(modelLayers: Int?) throws {
    guard 1...PlacementProblem.maximumLayers ~= modelLayers ?? 1 else {
      throw ValidationError(
        "--model-layers is \(modelLayers ?? 0); it must be in 1…\(PlacementProblem.maximumLayers).")
    }
  }

  /// Rejects costs between nodes that are lower than those within, or than which none is higher.
  static func check(cost: Double) throws {
    guard 1...PlacementTopology.maximumCost ~= cost else {
      throw ValidationError(
        "--cost is \(cost); it must be a number from 1 to \(Int(PlacementTopology.maximumCost)).")
    }
  }

  func read(_ path: FilePath) throws -> PlacementPlan {
    let hints = PlanHints(
      ranks: ranks, experts: experts, layerIDs: layers?.layers, nodes: nodes)
    let names = ["ranks": "--ranks", "experts": "--experts", "layerIDs": "--layers"]
    do {
      return try SettingError.renaming(names) {
        try PlacementPlan(contentsOf: path, as: format, hints: hints)
      }
    } catch PlacementError.otherFormat(let path, let other) {
      throw PlacementError.invalidFile(
        path: path,
        message: "it seems to be a plan of the format \(other); add --format \(other)")
    }
  }

  /// Reads a plan that may waste slots, but is legal otherwise.
  func readLegal(_ path: FilePath) throws -> PlacementPlan {
    let plan = try read(path)
    do { try plan.validate(allowingWaste: true) } catch {
      throw PlacementError.invalidFile(path: path.string.printable, message: "\(error)")
    }
    return plan
  }
}

struct PlanShow: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "show", abstract: "Print which experts each rank holds.",
    discussion: """
      Examples:
        switchyard plan show plan.json
        switchyard plan show map.json --format sglang --ranks 4
      """)

  @Argument(help: "Plan file.", completion: .file()) var plan: PathArgument
  @OptionGroup var arguments: PlanArguments

  func run() throws {
    let plan = try arguments.readLegal(plan.path)
    Output.line(
      "\(counted(plan.layers, "layer")) × \(counted(plan.experts, "expert")), \(counted(plan.replicas, "replica")), \(counted(plan.ranks, "rank")) in \(counted(plan.nodes, "node"))"
    )
    for (id, row) in zip(plan.layerIDs, plan.slots) {
      let ranks = (0..<plan.ranks).map { rank in
        row[rank * plan.slotsPerRank..<(rank + 1) * plan.slotsPerRank].map(String.init)
          .joined(separator: " ")
      }
      Output.line("layer \(id): " + ranks.joined(separator: " | "))
    }
  }
}

struct PlanDiff: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "diff", abstract: "Count the experts that another plan places elsewhere.",
    discussion: """
      Example:
        switchyard plan diff old.json new.json
      """)

  @Argument(help: "Plan file.", completion: .file()) var first: PathArgument
  @Argument(help: "Another, of the same format.", completion: .file()) var second: PathArgument
  @OptionGroup var arguments: PlanArguments

  func run() throws {
    let changes = try arguments.readLegal(first.path).changes(
      to: arguments.readLegal(second.path))
    for (layer, moved) in changes where !moved.isEmpty {
      Output.line(
        "layer \(layer): \(moved.count) \(moved.count == 1 ? "moves" : "move"): \(moved.map(String.init).joined(separator: " "))"
      )
    }
    let moved = changes.reduce(0) { $0 + $1.moved.count }
    Output.line("\(counted(moved, "expert")) \(moved == 1 ? "is" : "are") placed elsewhere")
  }
}

struct PlanCheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Prove that a plan is legal, or say why it is not.",
    discussion: """
      Legal means: in every layer each expert has a slot, all ranks have the same number of slots, no rank holds two \
      copies of an expert. Plans of EPLB may waste slots in this way; the other commands take them. Formats with a row for every layer of the model, \
      dense ones included, are judged on the layers that --layers names.

      Examples:
        switchyard plan check plan.json
        switchyard plan check map.json --format sglang --ranks 4 --layers 1-26
      """)

  @Argument(help: "Plan file.", completion: .file()) var plan: PathArgument
  @OptionGroup var arguments: PlanArguments

  func run() throws {
    let plan = try arguments.read(plan.path)
    let faults = plan.violations
    guard faults.isEmpty else {
      let messages = Self.grouped(faults)
      for message in messages.prefix(100) { Output.line(message) }
      let rest = messages.count > 100 ? ", the first 100 of them" : ""
      let error = PlacementError.illegalPlan(
        message: "it has \(counted(messages.count, "fault"))\(rest), listed above")
      throw PlacementError.invalidFile(path: self.plan.path.string.printable, message: "\(error)")
    }
    Output.line(
      "legal: \(counted(plan.layers, "layer")), \(counted(plan.experts, "expert")) and \(counted(plan.replicas, "replica")) on \(counted(plan.ranks, "rank")), \(counted(plan.slotsPerRank, "slot")) each"
    )
  }

  /// Each fault once, with all its layers, in the order of the first ones.
  private static func grouped(_ faults: [PlacementPlan.Violation]) -> [String] {
    var (order, layers): ([String], [String: [Int]]) = ([], [:])
    for fault in faults {
      if layers[fault.message] == nil { order.append(fault.message) }
      layers[fault.message, default: []] += fault.layer.map { [$0] } ?? []
    }
    return order.map { message in
      let found = layers[message] ?? []
      guard !found.isEmpty else { return message }
      return "\(found.count == 1 ? "layer" : "layers") \(LayerList(found).text): \(message)"
    }
  }
}

struct PlanEvaluate: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "evaluate", abstract: "Show what a plan does to the tokens of a trace.",
    discussion: """
      All tokens of the trace count; use one that the plan was not made from. Files of counts tell the balance, not the \
      crossings. Layers of the plan that the trace does not have, such as dense ones, do not matter.

      Examples:
        switchyard plan evaluate plan.json tuesday.safetensors
        switchyard plan evaluate map.json counts.json --format sglang --ranks 8
      """)

  @Argument(help: "Plan file.", completion: .file()) var plan: PathArgument
  @Argument(help: "Routing trace, or file of counts.", completion: .file()) var trace: PathArgument
  @Argument(help: "More files of counts, to be added.", completion: .file())
  var others: [PathArgument] = []
  @OptionGroup var arguments: PlanArguments
  @Option(help: "Cost of a transfer between nodes; one within a node costs 1.") var cost = 1.0
  @Flag(help: "Print one JSON object instead of text.") var json = false

  func validate() throws { try PlanArguments.check(cost: cost) }

  func run() throws {
    let report = try PlanReport(
      arguments.readLegal(plan.path), on: RoutingSource(trace.path, adding: others.map(\.path)),
      costBetweenNodes: cost)
    if json { try Output.json(report) } else { Output.line(report.text) }
  }
}

struct PlanConvert: WritesFiles {
  static let configuration = CommandConfiguration(
    commandName: "convert", abstract: "Write a plan in another system's format.",
    discussion: """
      Example:
        switchyard plan convert plan.json --to tensorrt=plan.yaml --to sglang=map.json
      """)

  @Argument(help: "Plan file.", completion: .file()) var plan: PathArgument
  @Option(help: "What to write: \(PlanFormat.exportForms()).")
  var to: [PlanExport]
  @Option(help: "Layers of the whole model, for SGLang (default: up to the last with experts).")
  var modelLayers: Int?
  @OptionGroup var files: OverwriteOption
  @OptionGroup var arguments: PlanArguments

  func validate() throws { try PlanArguments.check(modelLayers: modelLayers) }

  func run() throws {
    try files.check(to.map(\.path), inputs: [plan.path])
    let plan = try arguments.readLegal(plan.path)
    for export in to {
      try plan.write(to: export.path, as: export.format, modelLayers: modelLayers)
    }
  }
}
