import ArgumentParser
import MoECore
import MoEModels
import MoEQuantization
import MoETensor
import SystemPackage

struct Quantize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Write a model with fewer bits per weight.",
    discussion: """
      Each linear layer can have its own bit width: 2, 3, 4, 5, 6 or 8 bits in groups of 32, 64 or 128 inputs, or 16 \
      to stay as it is. --bits says which: a number for the experts (routers then keep 16 bits, everything \
      else gets 8), or a number by kind. Kinds are embedding, attention, router, experts, shared, dense and head. \
      g and a group, and s for codes without a bias, may follow a number: 4g128, 2g64s. A file that ends in .json \
      has rules by name of module, of which the first that matches counts:

        {"default": 4, "attention": 8, "rules": [{"match": ".*experts.(3|5)[.].*", "bits": 8, "group": 128}]}

      Where a group does not divide the inputs of a module, the largest of 64 and 32 that does is taken, or the \
      last group of a row is shorter; the command says so. --dry-run shows what each kind of module would get and \
      how many bytes that is, and writes nothing.

      The folder opens in every command that opens a model. 'switchyard verify' compares the two.

      Examples:
        switchyard quantize Data/bible-moe --bits 4 --out bible-4bit
        switchyard quantize MODEL --bits attention=8,experts=3g64 --dry-run
      """)

  @Argument(
    help:
      "Folder of a model or of its training run, or a GGUF file; its weights must not be quantized yet.",
    completion: .file()) var model: PathArgument
  @Option(help: "A new folder for the result.", completion: .directory) var out: PathArgument?
  @Option(help: "Bits of the experts, bits by kind of module, or a JSON file with rules.")
  var bits = "4"
  @Option(help: "Inputs that share a scale: 32, 64 or 128.") var groupSize = 64
  @Option(help: "How numbers become codes.") var method = QuantizationMethodName.rtn
  @Option(help: "The rule of rtn: nearest, or mlx for the codes of MLX, bit by bit.") var rounding =
    RoundingName.nearest
  @Option(help: "Type of scales: f32, bf16 or f16 (default: that of the weights).") var scales:
    WeightType?
  @Flag(help: "Show the plan and its size, and write nothing.") var dryRun = false
  @Flag(help: "Print one JSON object instead of text.") var json = false
  @OptionGroup var engine: EngineOptions

  func validate() throws {
    guard dryRun || out != nil else {
      throw ValidationError("--out is missing; name a new folder, or give --dry-run.")
    }
    guard PackedFormat.groups.contains(groupSize) else {
      throw ValidationError("--group-size is \(groupSize); it must be 32, 64 or 128.")
    }
    try BitMap.check(bits, flag: "--bits")
    // A file is read later.
    let isSymmetric = bits.split(separator: ",").contains { $0.hasSuffix("s") }
    guard rounding == .nearest || !isSymmetric || bits.hasSuffix(".json") else {
      throw ValidationError(Self.noSymmetricMLX)
    }
    guard scales != .f64 else { throw ValidationError("--scales must be f32, bf16 or f16.") }
  }

  private static let noSymmetricMLX =
    "--rounding mlx goes with codes that have biases only; leave out the 's' of --bits, or take nearest."

  /// What `--json` prints.
  private struct Report: Encodable {
    struct Kind: Encodable {
      var kind: String
      var format: String
      var modules: Int?
      var weights: Int?
      var bytes: Int
    }
    var method: String
    var kinds: [Kind]
    var notes: [String]
    var bytes: Int
    var out: String?
  }

  func run() throws {
    engine.apply()
    Output.warn(ofFilesAt: model.path)
    let stored = try StoredModel(model.path)
    guard !stored.isPacked else { throw ModelError.alreadyPacked(path: stored.path) }
    let plan = try SettingError.renaming(["bits": "--bits"]) {
      try BitMap.named(by: bits, flag: "--bits", group: groupSize).plan(for: stored.linearModules())
    }
    guard rounding == .nearest || plan.modules.allSatisfy({ $0.format?.codes != .symmetric }) else {
      throw SettingError(
        key: "--rounding", value: "mlx",
        expected: "nearest for symmetric codes, which MLX does not have")
    }
    let quantizer = try ModelQuantizer(
      stored, plan, RoundToNearest(rounding.rule, scales: scales?.dtype),
      named: rounding == .nearest ? method.rawValue : "\(method.rawValue)-\(rounding.rawValue)")
    let progress = ProgressLine()
    defer { progress.end() }
    let target = dryRun ? nil : out?.path
    let contents =
      try target.map { try quantizer.write(to: $0, progress: progress.show) }
      ?? quantizer.contents()
    progress.end()
    let report = Report(
      method: method.rawValue, kinds: kinds(plan, contents), notes: plan.notes,
      bytes: contents.bytes.bytes, out: target?.string)
    try json ? Output.json(report) : show(report)
  }

  private func kinds(
    _ plan: QuantizationPlan, _ contents: ModelQuantizer.Contents
  ) -> [Report.Kind] {
    var found: [Report.Kind] = []
    var others = contents.weights
    for module in plan.modules {
      let format = module.format.map { "\($0)" } ?? "as it is"
      let weights = module.shape.reduce(1, *)
      let bytes = others.removeValue(forKey: module.name + ".weight") ?? 0
      if let place = found.firstIndex(where: {
        $0.kind == module.kind.rawValue && $0.format == format
      }) {
        found[place].modules = (found[place].modules ?? 0) + 1
        found[place].weights = (found[place].weights ?? 0) + weights
        found[place].bytes += bytes
      } else {
        found.append(
          .init(
            kind: module.kind.rawValue, format: format, modules: 1, weights: weights, bytes: bytes))
      }
    }
    let rest = others.values.reduce(0, +)
    return found + [
      .init(
        kind: ModuleKind.other.rawValue, format: "as it is", modules: others.count, weights: nil,
        bytes: rest),
      .init(kind: "gaps", format: "experts begin on pages", bytes: contents.gaps),
    ]
  }

  private func show(_ report: Report) {
    let rows = report.kinds.map { kind in
      [
        kind.kind, kind.format, kind.modules.map { "\($0)" } ?? "",
        kind.weights.map { NumberText.amount($0) } ?? "", "\(ByteCount(kind.bytes))",
      ]
    }
    Output.line(
      TextTable(header: ["kind", "format", "modules", "weights", "bytes"], rows: rows).text)
    Output.line("in all  \(ByteCount(report.bytes))")
    for note in report.notes { Output.line("note: \(note)") }
    if let out = report.out { Output.line("written to \(out)") }
  }
}

/// The methods by name.
enum QuantizationMethodName: String, CaseIterable, ExpressibleByArgument {
  case rtn

  /// What the method does.
  var help: String { RoundToNearest.help }
  /// A description of each, by name.
  static var allValueDescriptions: [String: String] {
    Dictionary(uniqueKeysWithValues: allCases.map { ($0.rawValue, $0.help) })
  }
}

/// The rules of rounding by name.
enum RoundingName: String, CaseIterable, ExpressibleByArgument {
  case nearest, mlx

  var rule: PackedRounding {
    switch self {
    case .nearest: .nearest
    case .mlx: .mlx
    }
  }
}
