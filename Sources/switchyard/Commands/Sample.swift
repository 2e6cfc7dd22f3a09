import ArgumentParser
import MoECore
import MoEData
import MoEEvaluation
import MoEModels
import SystemPackage

struct Sample: WritesFiles {
  static let configuration = CommandConfiguration(
    abstract: "Make images with a diffusion transformer.",
    discussion: """
      Writes one PNG file with a row per class. The same seed gives the same images. Guidance \
      above 1 makes images more typical of their class and less varied; it needs a model that was \
      trained with label dropout.

      With --no-label the images show no particular class, as a model that was trained with label \
      dropout makes them without guidance.

      With --trajectory each image becomes a row that shows it on its way from noise.

      Where --out ends in .safetensors, numbers are written instead, for a program that decodes \
      latents: 'mean' [images, channels, rows, columns], not clipped and without the factor of the \
      model's training data, and 'labels'. A model of latents can write nothing else.

      Examples:
        switchyard sample runs/digits --out digits.png
        switchyard sample runs/digits/model --classes 3,7 --count 8 --guidance 2 --steps 100 --out some.png
        switchyard sample runs/digits --no-label --count 20 --out any.png
        switchyard sample promoe-b --latent-scale 0.18215 --guidance 1.5 --out latents.safetensors
      """)

  @Argument(
    help: "Folder of a model or of its training run, as 'switchyard train' writes it.",
    completion: .directory)
  var model: PathArgument
  @Option(
    help: "The file to write: PNG, or .safetensors.",
    completion: .file(extensions: ["png", "safetensors"])) var out: PathArgument
  @Option(help: "Classes by name or number, separated by commas (default: all, at most 16).")
  var classes: String?
  @Flag(
    help:
      "Make images without a label instead; only for models that were trained with label dropout.")
  var noLabel = false
  @Option(help: "Images of each class.") var count = 8
  @Option(help: "Number of sampling steps.") var steps = 100
  @OptionGroup var guidance: GuidanceOptions
  @Flag(help: "Predict with and without the label in one batch of twice the size.") var oneBatch =
    false
  @Option(help: "Sampler (default: the one that fits the model).") var sampler: SamplerName?
  @Option(help: "Seed of the random numbers.") var seed: UInt64 = 0
  @Option(help: "Each pixel becomes a square of this side (default: images of about 64 pixels).")
  var enlarge: Int?
  @Option(
    help:
      "For .safetensors: what latents were multiplied by for the model (default: what its folder says, or 1)."
  ) var latentScale: Double?
  @Flag(help: "Show each image on its way from noise.") var trajectory = false
  @OptionGroup var files: OverwriteOption
  @OptionGroup var engine: EngineOptions

  /// Whether numbers are written instead of a picture.
  private var writesNumbers: Bool { out.path.extension?.lowercased() == "safetensors" }

  /// Pictures of images on their way from noise.
  private static let stations = 9

  func validate() throws {
    guard 1...4096 ~= count else {
      throw ValidationError("--count is \(count); it must be in 1…4096.")
    }
    guard !noLabel || classes == nil else {
      throw ValidationError("--no-label makes images of no class; leave out --classes.")
    }
    guard 1...64 ~= enlarge ?? 1 else {
      throw ValidationError("--enlarge is \(enlarge ?? 0); it must be in 1…64.")
    }
    try SamplingSteps.check(steps, sampler)
    guard classes?.split(separator: ",").isEmpty != true else {
      throw ValidationError(
        "--classes is '\(classes ?? "")'; it must be names or numbers, separated by commas.")
    }
    if writesNumbers {
      guard !trajectory, enlarge == nil else {
        throw ValidationError(
          "--trajectory and --enlarge are for pictures; leave them out, or name a .png file with --out."
        )
      }
    }
    if let latentScale {
      guard latentScale.isFinite, latentScale > 0, writesNumbers else {
        throw ValidationError(
          "--latent-scale is \(latentScale); it must be a number above 0, for a .safetensors file.")
      }
    }
  }

  func run() throws {
    engine.apply()
    Output.warn(ofFilesAt: model.path)
    let stored = try ModelLocation(model.path).open(as: DiffusionModels.self)
    try files.check(out.path, inputs: [model.path])
    if !writesNumbers {
      try HintedError.adding("--out FILE.safetensors writes them") { try stored.checkPictures() }
    }
    let network = try stored.model()
    let labels = try SettingError.renaming(["classes": "--classes", "label": "--no-label"]) {
      let rows = try noLabel ? [stored.nullLabel()] : stored.labels(named: classes)
      return rows.flatMap { Array(repeating: $0, count: count) }
    }
    let method = try DiffusionSampler(
      sampler?.method ?? .default(for: network.objective), steps: steps,
      guidance: guidance.value(inOneBatch: oneBatch), limitsImages: stored.makesPictures)
    let line = ProgressLine()
    defer { line.end() }
    // The pictures of all images, by step.
    var way: [Int: [Pixels]] = [:]
    let wanted = Set((0..<Self.stations).map { $0 * steps / (Self.stations - 1) })
    let size = DiffusionSampler.usualBatch
    let images = try method.images(from: network, labels: labels, seed: seed, batchSize: size) {
      let (done, total) = ($0 / size * steps + $1.step, (labels.count + size - 1) / size * steps)
      line.show(Progress("sampling", completed: done, total: total))
      if trajectory, wanted.contains($1.step) {
        way[$1.step, default: []] += Pixels.images($1.images)
      }
    }
    line.end()
    if writesNumbers {
      try LatentImages.write(
        images, labels: labels, classes: network.classes,
        scale: latentScale ?? stored.latentScale ?? 1, to: out.path)
      return Output.line("\(out.path)")
    }
    let finished = Pixels.images(images)
    let stations = way.sorted { $0.key < $1.key }.map(\.value)
    let pictures =
      trajectory ? labels.indices.flatMap { place in stations.map { $0[place] } } : finished
    let sheet = ContactSheet(
      columns: trajectory ? stations.count : count,
      enlargement: enlarge ?? max(1, 64 / finished[0].width))
    try ImageFile.write(sheet.page(pictures), to: out.path)
    Output.line("\(out.path)")
  }
}
