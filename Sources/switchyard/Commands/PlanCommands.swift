import ArgumentParser
import MoECore
import MoEPlacement
import SystemPackage

struct PlanCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Show, compare, check and convert placement plans.",
    discussion: """
      Example:
        switchyard plan check plan.json
      """,
    subcommands: [PlanShow.self, PlanDiff.self, PlanCheck.self, PlanConvert.self])
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

  /// Rejects a model without layers.
  static func check(modelLayers: Int?) throws {
    guard modelLayers ?? 1 >= 1 else {
      throw ValidationError("--model-layers is \(modelLayers ?? 0); it must be at least 1.")
    }
  }

  func read(_ path: FilePath) throws -> PlacementPlan {
    let hints = PlanHints(
      ranks: ranks, experts: experts, layerIDs: layers?.layers, nodes: nodes)
    let names = ["ranks": "--ranks", "experts": "--experts", "layerIDs": "--layers"]
    return try SettingError.renaming(names) {
      try PlacementPlan(contentsOf: path, as: format, hints: hints)
    }
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
    let plan = try arguments.read(plan.path)
    try plan.validate()
    Output.line(
      "\(plan.layers) layers × \(plan.experts) experts, \(plan.replicas) replicas, \(plan.ranks) ranks in \(plan.nodes) \(plan.nodes == 1 ? "node" : "nodes")"
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
    let changes = try arguments.read(first.path).changes(to: arguments.read(second.path))
    for (layer, moved) in changes where !moved.isEmpty {
      Output.line(
        "layer \(layer): \(moved.count) move: \(moved.map(String.init).joined(separator: " "))")
    }
    Output.line("\(changes.reduce(0) { $0 + $1.moved.count }) experts are placed elsewhere")
  }
}

struct PlanCheck: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "check", abstract: "Prove that a plan is legal, or say why it is not.",
    discussion: """
      Legal means: in every layer each expert has a slot, all ranks have the same number of slots, no rank holds two \
      copies of an expert. Formats with a row for every layer of the model, \
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
      for fault in faults.prefix(100) { Output.line("\(fault)") }
      throw PlacementError.illegalPlan(message: "it has \(faults.count) faults, listed above")
    }
    Output.line(
      "legal: \(plan.layers) layers, \(plan.experts) experts and \(plan.replicas) replicas on \(plan.ranks) ranks, \(plan.slotsPerRank) slots each"
    )
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
    let plan = try arguments.read(plan.path)
    for export in to {
      try plan.write(to: export.path, as: export.format, modelLayers: modelLayers)
    }
  }
}
