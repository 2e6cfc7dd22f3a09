import ArgumentParser
import Foundation
import MoECore
import MoEModels
import MoEPlacement
import MoEReport
import MoETracing
import SystemPackage

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say how evenly experts are used, and whether their layers depend on one another.",
    discussion: """
      Reads a trace (.safetensors with routing), a file of counts (JSON, CSV, .npy, or SGLang's .pt), or a model \
      with --text, which it reads once and records. A model without a text has no routing and is described as \
      'switchyard info' does.

      The diagnosis says what placing experts on --devices and balancing them could save, on tokens that the plan \
      was not made of.

      Examples:
        switchyard inspect trace.safetensors --html report.html
        switchyard inspect MODEL --text book.txt --text code.txt --html report.html
        switchyard inspect trace.safetensors --tokenizer MODEL --json
      """)

  @Argument(help: "Trace, file of counts, or model.", completion: .file()) var input: PathArgument
  @OptionGroup var texts: TextOptions
  @OptionGroup var engine: EngineOptions
  @Option(help: "Type to compute in (default: that of the checkpoint).") var dtype: WeightType?
  @Option(
    help: "Model or tokenizer.json whose tokens the trace holds, to tell kinds of tokens apart.",
    completion: .file()) var tokenizer: PathArgument?
  @Option(help: "Devices that the diagnosis places experts on.") var devices = 4
  @Option(help: "Layers whose affinity to the next one the page draws, as 0,3 (default: four).")
  var layers: LayerList?
  @Option(help: "Write a page with figures that any browser shows.", completion: .file()) var html:
    PathArgument?
  @Flag(help: "Print one JSON object instead of text.") var json = false

  func validate() throws {
    guard 2...PlacementTopology.maximumRanks ~= devices else {
      throw ValidationError(
        "--devices is \(devices); it must be in 2…\(PlacementTopology.maximumRanks).")
    }
  }

  func run() throws {
    guard input.isModel else {
      guard texts.text.isEmpty else {
        throw ValidationError("--text is for models; \(input.path) is a trace or a file of counts.")
      }
      let tokenizer = try tokenizer.map { try Tokenizer($0.path) }
      return try show(RoutingSource(input.path), tokenizer)
    }
    guard !texts.text.isEmpty else { return try describeModel() }
    let recording = try TextRecording(texts)
    let arguments = ModelArguments(input, dtype: dtype, engine: engine)
    try recording.withTrace(of: arguments) { trace, tokenizer in
      try show(.trace(trace), tokenizer)
    }
  }

  private func show(_ source: RoutingSource, _ tokenizer: Tokenizer?) throws {
    let inspection = try Inspection(source, tokenizer: tokenizer, devices: devices)
    if let html {
      try InspectionPage(
        inspection.report, advice: inspection.placement, layers: layers?.layers
      ).page.write(to: html.path)
    }
    if json {
      try Output.json(inspection)
    } else {
      Output.line(InspectionText(inspection.report).text)
      if let html { Output.line("\nfigures in \(html.path)") }
    }
  }

  private func describeModel() throws {
    guard html == nil else {
      throw ValidationError("a model has no routing without a text; add --text FILE.")
    }
    let summary = try ModelSummary(input.path)
    if json { return try Output.json(summary) }
    Output.line(summary.text)
    Output.line("To see its routing: switchyard inspect \(input.path) --text FILE")
  }
}

extension PathArgument {
  /// Whether the path leads to a model rather than to a trace or counts.
  var isModel: Bool {
    path.extension == "gguf"
      || FileManager.default.fileExists(atPath: path.appending("config.json").string)
  }
}

/// A trace, or counts where nothing else is known.
enum RoutingSource {
  case trace(RoutingTrace)
  case counts(RoutingCounts)

  init(_ path: FilePath) throws {
    self =
      try path.extension == "safetensors"
      ? .trace(RoutingTrace(path)) : .counts(CountMatrix.read(path))
  }

  /// All that drift compares.
  func counts() throws -> RoutingCounts {
    switch self {
    case .trace(let trace): try RoutingCounts(trace, tables: [.firstTransitions])
    case .counts(let counts): counts
    }
  }
}

/// A report with advice about placement: what `inspect` prints.
struct Inspection: Encodable {
  var report: TraceReport
  var placement: PlacementAdvice?

  /// Tokens of each part beyond which advice does not change.
  private static let adviceTokens = 1_000_000

  init(_ source: RoutingSource, tokenizer: Tokenizer?, devices: Int) throws {
    switch source {
    case .counts(let counts): report = TraceReport(counts)
    case .trace(let trace):
      report = try TraceReport(trace, classes: tokenizer.map { try TokenClasses($0) })
      guard trace.tokenCount >= 2, report.layers.count > 1, report.experts >= devices else {
        return
      }
      guard report.experts.isMultiple(of: devices) else {
        report.diagnosis.append(
          "\(report.experts) experts do not divide over \(devices) devices; choose --devices to learn what placement saves."
        )
        return
      }
      let study = try PlacementStudy(trace, heldOut: 0.5, limit: Self.adviceTokens)
      let advice = try PlacementAdvice(study, devices: devices)
      report.diagnosis += advice.sentences
      placement = advice
    }
  }

  private enum CodingKeys: String, CodingKey { case placement }

  func encode(to encoder: any Encoder) throws {
    try report.encode(to: encoder)
    var values = encoder.container(keyedBy: CodingKeys.self)
    try values.encodeIfPresent(placement, forKey: .placement)
  }
}

extension TokenClasses {
  /// Classifies a tokenizer's vocabulary by what each token adds to a text.
  init(_ tokenizer: Tokenizer) throws {
    // A letter in front, because some decoders drop the space before the first word.
    let anchor = tokenizer.encode("a", addingSpecialTokens: false)
    let prefix = try tokenizer.decode(anchor)
    let ids = 0..<tokenizer.vocabularyCount
    let texts = try ids.map { id -> String? in
      guard tokenizer.token(id) != nil else { return nil }
      let text = try tokenizer.decode(anchor + [id], skippingSpecialTokens: false)
      return text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
    }
    self.init(texts, specials: Set(ids.filter { tokenizer.isSpecial($0) }))
  }
}
