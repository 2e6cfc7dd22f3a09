import ArgumentParser
import MoECore
import MoEModels

struct Upcycle: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Turn a dense model into a Mixture of Experts that gives the same answers.",
    discussion: """
      Every feed-forward network becomes --experts copies of itself under a new random router, of \
      which each token uses --k; everything else is copied. Because equal copies with weights that \
      sum to 1 give the network's own answer, the new model starts where the dense one ended, and \
      training makes its experts differ (Komatsuzaki et al. 2023, arXiv:2212.05055).

      --split N cuts each copy into N thinner experts: --experts 16 --k 8 --split 4 makes 4 copies of 4 \
      slices, and each token uses 2 whole copies at first. --experts and --k are multiples of N.

      --noise adds random numbers to each expert's weights, so that copies differ from the start; 0.01 means \
      1 % of the weights' usual size. Answers then change a little.

      The dense model is a folder of the Llama family or a GGUF file of one. The result is a Hugging Face \
      folder: a Mixtral model where all layers become sparse, else one of Switchyard's own family. At the end both models read a short text, and the largest difference of \
      their logits is printed; without noise, one that rounding does not explain is an error.

      Examples:
        switchyard upcycle SmolLM2-135M.gguf --experts 8 --k 2 --out moe/ --dtype bf16
        switchyard upcycle llama/ --experts 16 --k 8 --split 4 --layers every-2 --out fine/
      """)

  @Argument(
    help: "Folder of the dense model or of its training run, or a GGUF file.", completion: .file())
  var model: PathArgument
  @Option(help: "Experts of each sparse layer.") var experts: Int
  @Option(help: "Experts per token.") var k: Int
  @Option(help: "A new folder for the result.", completion: .directory) var out: PathArgument
  @Option(help: "Layers that become sparse: all, every-2, last-8, or places such as 0,3,5-9.")
  var layers = "all"
  @Option(help: "Slices into which each copy is cut.") var split = 1
  @Option(help: "Standard deviation of noise on experts, relative to their weights.") var noise =
    0.0
  @Option(help: "Seed of the random numbers.") var seed: UInt64 = 0
  @Option(help: "Type of the new weights (default: as they are; f32 for quantized ones).")
  var dtype: WeightType?
  @Option(
    help: "The most data in one file, unless a tensor alone is larger (default: 5GB).",
    transform: CheckpointRewrite.shardSize) var shardSize: ByteCount?
  @Flag(help: "Print one JSON object instead of text.") var json = false
  @OptionGroup var engine: EngineOptions

  func validate() throws {
    guard LayerSelection(parsing: layers) != nil else {
      throw ValidationError(
        "--layers is '\(layers)'; it must be all, every-N, last-N, or places such as 0,3,5-9.")
    }
    guard 2...65_536 ~= experts else {
      throw ValidationError("--experts is \(experts); it must be in 2…65536.")
    }
    guard 1...experts ~= k else {
      throw ValidationError("--k is \(k); it must be in 1…\(experts), the number of experts.")
    }
    guard split >= 1, experts.isMultiple(of: split), k.isMultiple(of: split) else {
      throw ValidationError(
        "--split is \(split); it must be at least 1, and --experts and --k multiples of it.")
    }
    guard 0...10 ~= noise else {
      throw ValidationError("--noise is \(noise); it must be in 0…10.")
    }
  }

  func run() throws {
    engine.apply()
    Output.warn(ofFilesAt: model.path)
    var plan = UpcyclingPlan(experts: experts, k: k)
    plan.layers = LayerSelection(parsing: layers) ?? .all
    (plan.split, plan.noise, plan.seed, plan.dtype) = (split, noise, seed, dtype?.dtype)
    if let shardSize { plan.shardLimit = shardSize }
    let progress = ProgressLine()
    defer { progress.end() }
    let report = try Upcycling.write(
      try StoredModel(model.path), as: plan, to: out.path, progress: progress.show)
    progress.end()
    if json { try Output.json(report) } else { Output.line(report.text(noise: noise)) }
  }
}

extension Upcycling.Report {
  fileprivate func text(noise: Double) -> String {
    let share = largestDifference / max(1, largestLogit)
    return """
      family       \(family), \(counted(sparseLayers.count, "sparse layer"))
      parameters   \(parameters) in \(ByteCount(bytes))
      answers      \(noise > 0 ? "changed by noise" : "as before"): logits of \(comparedTokens) tokens differ by at \
      most \(NumberText.significant(largestDifference)), \(NumberText.significant(share)) of the largest
      predictions  \(samePredictions) of \(comparedTokens) the same
      """
  }
}
