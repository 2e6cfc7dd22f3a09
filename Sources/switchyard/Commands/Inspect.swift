import MoEEvaluation
import MoETokenizers
import ArgumentParser
import Foundation
import MoECore
import MoEModels
import MoEPlacement
import MoEReport
import MoETensor
import MoETracing
import MoETraining
import SystemPackage

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Say how evenly experts are used, and whether their layers depend on one another.",
    discussion: """
      Reads a trace (.safetensors with routing), a file of counts (JSON, CSV, .npy, or SGLang's .pt), or a model \
      with --text, which it reads once and records. A model without a text has no routing and is described as \
      'switchyard info' does.

      With --against, two traces of one model are compared. The folder of a training run with --text is traced step by \
      step: its snapshots and its final model, to see load and affinity grow.

      For a model that answers with classes or scores, --data names texts with known answers: how good it is, and \
      which expert answers what; with --against, how often another model, trained with another seed for example, \
      chooses the same expert. For one that makes images, --data names images by class, and the folder of its \
      training run needs none: which classes use which experts, how far their answers count, how their weights differ.

      The diagnosis says what placing experts on --devices and balancing them could save, on tokens that the plan \
      was not made of.

      Examples:
        switchyard inspect trace.safetensors --html report.html
        switchyard inspect MODEL --text book.txt --text code.txt --html report.html
        switchyard inspect trace.safetensors --tokenizer MODEL --json
        switchyard inspect monday.safetensors --against sunday.safetensors
        switchyard inspect RUN --text book.txt --html training.html
        switchyard inspect runs/digits --html experts.html
        switchyard inspect runs/hecto-agnews/model --data ag_news/test.csv --html routing.html
        switchyard inspect runs/seed-0/model --data ag_news/test.csv --against runs/seed-1/model
      """)

  @Argument(help: "Trace, file of counts, model, or training run.", completion: .file()) var input:
    PathArgument
  @Option(
    help:
      "Another trace or file of counts of the same model, to compare; with --data, another model.",
    completion: .file())
  var against: PathArgument?
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
  @OptionGroup var labelled: LabelledDataOptions

  func validate() throws {
    guard 2...PlacementTopology.maximumRanks ~= devices else {
      throw ValidationError(
        "--devices is \(devices); it must be in 2…\(PlacementTopology.maximumRanks).")
    }
  }

  func run() throws {
    if let subject = DiffusionSubject(input.path) { return try inspect(subject) }
    if try labelled.inspect(
      input.path, against: against?.path, json: json, html: html?.path)
    {
      return
    }
    if let run = RunFolder(input.path) { return try inspect(run) }
    guard input.isModel else {
      guard texts.text.isEmpty else {
        throw ValidationError(
          "--text is for models and training runs; \(input.path) is neither.")
      }
      if let against { return try compare(against.path) }
      let tokenizer = try tokenizer.map { try Tokenizer($0.path) }
      return try show(RoutingSource(input.path), tokenizer)
    }
    try refuseComparison()
    guard !texts.text.isEmpty else { return try describeModel() }
    let recording = try TextRecording(texts)
    let arguments = ModelArguments(input, dtype: dtype, engine: engine)
    try recording.withTrace(of: arguments) { trace, tokenizer in
      try show(.trace(trace), tokenizer)
    }
  }

  private func refuseComparison() throws {
    guard against == nil else {
      throw ValidationError(
        "--against compares traces; record \(input.path) with 'switchyard trace' first.")
    }
  }

  private func compare(_ other: FilePath) throws {
    let (old, new) = (try RoutingSource(input.path), try RoutingSource(other))
    let names = [input.path, other].map { $0.lastComponent?.string ?? $0.string }
    let report = try DriftReport(
      from: old.counts(), to: new.counts(), names: (old: names[0], new: names[1]))
    try finish(report, text: report.text, page: DriftPage(report).page)
  }

  private func inspect(_ run: RunFolder) throws {
    try refuseComparison()
    guard !texts.text.isEmpty else {
      throw ValidationError(
        "\(input.path) is a training run; add --text FILE, which each of its models reads.")
    }
    let recording = try TextRecording(texts)
    let folder = try TemporaryTraces()
    defer { folder.remove() }
    let traces = try run.models.map { step, model in
      let path = folder.path.appending("step-\(step).safetensors")
      _ = try recording.record(
        ModelArguments(PathArgument(model), dtype: dtype, engine: engine), to: path)
      return (step: step, trace: try RoutingTrace(path))
    }
    let report = try CheckpointReport(traces, name: run.name, devices: devices)
    let curves = LossCurves(input.path)
    let losses = [("training", curves.training), ("validation", curves.validation)].map {
      LineChart.Series($0, $1.map { (x: Double($0.step), y: $0.loss) })
    }
    try finish(report, text: report.text, page: CheckpointPage(report, losses: losses).page)
  }

  private func inspect(_ subject: DiffusionSubject) throws {
    try refuseComparison()
    guard texts.text.isEmpty else {
      throw ValidationError("\(input.path) makes images; --text is for models that read texts.")
    }
    if let threads = engine.threads { Engine.threadCount = threads }
    let line = ProgressLine()
    defer { line.end() }
    guard let found = try subject.inspection(on: labelled.images, line: line) else {
      return try describeModel()
    }
    line.end()
    try finish(found.report, text: found.report.text, page: subject.page(found))
  }

  private func finish(_ report: some Encodable, text: String, page: Page) throws {
    if let html { try page.writeInspection(to: html.path) }
    if json { return try Output.json(report) }
    Output.line(text)
    if let html { Output.line("\nfigures in \(html.path)") }
  }

  private func show(_ source: RoutingSource, _ tokenizer: Tokenizer?) throws {
    let inspection = try Inspection(source, tokenizer: tokenizer, devices: devices)
    let page = InspectionPage(
      inspection.report, advice: inspection.placement, layers: layers?.layers
    ).page
    try finish(
      inspection, text: InspectionText(inspection.report, inspection.placement).text, page: page)
  }

  private func describeModel() throws {
    let what = DiffusionSubject(input.path) == nil ? "a text; add --text" : "images; add --data"
    guard html == nil else {
      throw ValidationError("a model has no routing without \(what) PATH.")
    }
    if let overview = try ModelOverview(input.path) {
      if json { return try Output.json(overview) }
      Output.line(overview.text)
      return Output.line(
        "To see its experts: switchyard inspect \(input.path) --data PATH".printable)
    }
    let summary = try ModelSummary(input.path)
    if json { return try Output.json(summary) }
    Output.line(summary.text)
    Output.line("To see its routing: switchyard inspect \(input.path) --text FILE")
  }
}
