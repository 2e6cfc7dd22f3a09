import ArgumentParser
import MoEPlacement

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
        switchyard inspect runs/hecto-agnews --data ag_news/test.csv --html routing.html
        switchyard inspect runs/seed-0 --data ag_news/test.csv --against runs/seed-1
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
    for type in InspectionSubjects.all {
      if let subject = try type.init(self) { return try subject.inspect() }
    }
  }
}
