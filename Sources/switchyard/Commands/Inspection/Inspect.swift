import ArgumentParser
import MoEPlacement

struct Inspect: WritesFiles {
  static let configuration = CommandConfiguration(
    abstract: "Show how evenly experts are used, and whether layers depend on one another.",
    discussion: """
      Reads a trace (.safetensors with routing), a file of counts (JSON, CSV, .npy, or SGLang's \
      .pt; several are added), or a model with --text, which it reads once and records. Without a text, a model has \
      no routing, and the output is that of 'switchyard info'.

      With --against, two traces of one model are compared. The folder of a training run with --text is traced step by \
      step: its snapshots and its final model, to see load and affinity grow.

      For a model that predicts classes or scores, --data names labelled texts; the report shows \
      how good the model is and which expert answers what. With --against, it shows how often \
      another model, for example one trained with another seed, chooses the same expert. For a \
      model that makes images, --data names images by class; the folder of a training run does not \
      need it. The report shows which classes use which experts, how much their outputs count and \
      how their weights differ.

      The diagnosis shows what placing experts on --devices and balancing them could save, on \
      tokens that were not used to make the plan.

      Examples:
        switchyard inspect trace.safetensors --html report.html
        switchyard inspect MODEL --text book.txt --text code.txt --html report.html
        switchyard inspect trace.safetensors --tokenizer MODEL --json
        switchyard inspect monday.safetensors --against sunday.safetensors
        switchyard inspect RUN --text book.txt --html training.html
        switchyard inspect runs/digits --html experts.html
        switchyard inspect runs/hecto-agnews --data ag_news/test.csv --html routing.html
        switchyard inspect runs/seed-0 --data ag_news/test.csv --against runs/seed-1
      """)

  @Argument(help: "Trace, file of counts, model, or training run.", completion: .file()) var input:
    PathArgument
  @Argument(
    help: "More files of counts, such as those of other ranks, to be added.", completion: .file())
  var others: [PathArgument] = []
  @Option(
    help:
      "Another trace or file of counts of the same model, to compare; with --data, another model.",
    completion: .file())
  var against: PathArgument?
  @OptionGroup var texts: TextOptions
  @OptionGroup var engine: EngineOptions
  @Option(
    help: "Type to compute in (default: the one that config.json names, or that of the weights).")
  var dtype: WeightType?
  @Option(
    help: "Model or tokenizer.json whose tokens the trace holds, to distinguish kinds of tokens.",
    completion: .file()) var tokenizer: PathArgument?
  @Option(help: "Number of devices on which the diagnosis places experts.") var devices = 4
  @Option(help: "Layers whose affinity to the next one the page shows, as 0,3 (default: four).")
  var layers: LayerList?
  @Option(help: "Write an HTML page with figures.", completion: .file()) var html: PathArgument?
  @OptionGroup var files: OverwriteOption
  @Flag(help: "Print one JSON object instead of text.") var json = false
  @OptionGroup var labelled: LabelledDataOptions

  func validate() throws {
    guard 2...PlacementTopology.maximumRanks ~= devices else {
      throw ValidationError(
        "--devices is \(devices); it must be in 2…\(PlacementTopology.maximumRanks).")
    }
  }

  func run() throws {
    try files.check(
      html?.path,
      inputs: [input.path, against?.path, tokenizer?.path] + (texts.text + others).map(\.path))
    engine.apply()
    Output.warn(ofFilesAt: input.path)
    for type in InspectionSubjects.all {
      guard let subject = try type.init(self) else { continue }
      guard others.isEmpty || subject is TraceSubject else {
        throw ValidationError("\(others[0].path): only files of counts can be added to another.")
      }
      return try subject.inspect()
    }
  }
}
