import MoECore
import MoEData
import ArgumentParser
import Foundation
import MoEEvaluation
import MoEModels
import SystemPackage

/// Real images that an option names.
struct ImageDataOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "For images in the format of MNIST: the file with their labels.", valueName: "file"),
    completion: .file()) var labels: PathArgument?

  /// The files of an option; several are CIFAR's.
  func files(_ paths: [PathArgument]) -> ImageFiles {
    ImageFiles(paths.map(\.path), labels: labels?.path)
  }
}

struct MeasureFidelity: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fidelity",
    abstract: "Measure how close made images come to real ones.",
    discussion: """
      IMAGES is a diffusion model, whose images are made here, or a folder of images by class that another program \
      made. A small classifier looks at them and at as many real images, and its last hidden numbers are compared: \
      Fréchet distance, precision and recall (nearest 3 neighbours), Inception Score, and the share of images that \
      show the class that was asked for.

      These numbers are no ImageNet FIDs: they can be compared only with others of the same classifier, the same real \
      images and the same --count. The line "real halves" is the distance between two sets of real images, which \
      nothing that is made beats by much.

      'switchyard train Examples/digits-classifier.json' makes a classifier; Data/digits-classifier is one for the \
      bundled digits.

      Examples:
        switchyard fidelity runs/photos --reference photos/ --classifier runs/classifier --count 500
        switchyard fidelity made/ --reference photos/ --classifier runs/classifier/model --json
      """)

  @Argument(
    help: "Folder of a diffusion model or of its training run, or of folders of images by class.",
    completion: .directory)
  var images: PathArgument
  @Option(
    parsing: .upToNextOption,
    help: "Real images: folders by class, MNIST's file with --labels, or CIFAR's .bin files.",
    completion: .file()) var reference: [PathArgument]
  @OptionGroup var data: ImageDataOptions
  @Option(help: "Folder of the classifier or of its training run.", completion: .directory)
  var classifier: PathArgument
  @Option(
    help:
      "Images of each side (default: as many as there are real ones, at most \(FidelityMeasurement.usualCount))."
  ) var count: Int?
  @Option(help: "Steps from noise to image.") var steps = 50
  @OptionGroup var guidance: GuidanceOptions
  @Option(help: "Way from noise to image (default: what fits the model).") var sampler: SamplerName?
  @Option(help: "Start of the sequence of random numbers.") var seed: UInt64 = 0
  @Flag(help: "Print one JSON object instead of text.") var json = false
  @OptionGroup var engine: EngineOptions

  func validate() throws {
    guard !reference.isEmpty else { throw ValidationError("--reference needs a path.") }
  }

  func run() throws {
    engine.apply()
    let line = ProgressLine()
    defer { line.end() }
    let (result, features) = try SettingError.renaming(["count": "--count"]) {
      try measured(line.show)
    }
    line.end()
    if json { return try Output.json(result) }
    show(result, features: features)
  }

  /// The measures, and how many features of an image they compare.
  private func measured(
    _ progress: @escaping ProgressHandler
  ) throws -> (fidelity: ImageFidelity, features: Int) {
    // A model that does not fit is refused before real images are read.
    let model =
      ModelLocation.isNamed(by: images.path)
      ? try ModelLocation(images.path).open(as: DiffusionModels.self) : nil
    let method = try model.map { stored in
      try DiffusionSampler(
        sampler?.method ?? .default(for: stored.configuration.objective), steps: steps,
        guidance: guidance.value(), limitsImages: true)
    }
    if let model, let method {
      try HintedError.adding("'switchyard sample --out FILE.safetensors' writes them") {
        try model.checkPictures()
      }
      try FidelityMeasurement.check(model, sampler: method, classifier: classifier.path)
    }
    let measurement = try FidelityMeasurement(
      classifier: classifier.path, reference: data.files(reference), count: count,
      progress: progress)
    let result =
      if let model, let method {
        try measurement.measure(model, sampler: method, seed: seed, progress: progress)
      } else { try measurement.measure(ImageFiles([images.path]), progress: progress) }
    return (result, measurement.classifier.configuration.features)
  }

  private func show(_ it: ImageFidelity, features: Int) {
    func number(_ value: Double) -> String { NumberText.fixed(value, 4) }
    func share(_ value: Double?) -> String {
      value.map { NumberText.percent($0) } ?? "–"
    }
    func score(_ score: InceptionScore) -> String {
      "\(NumberText.fixed(score.mean, 3)) ± \(NumberText.fixed(score.deviation, 3))"
    }
    let rows = [
      ["Fréchet distance", number(it.frechetDistance)],
      ["  real halves", "\(number(it.frechetFloor)) (\(it.floorImages) images each)"],
      ["precision", share(it.precision)], ["recall", share(it.recall)],
      ["Inception Score", score(it.inceptionScore)], ["  real", score(it.realInceptionScore)],
      ["class accuracy", share(it.accuracy)], ["  real", share(it.realAccuracy)],
    ]
    let lines = rows.map { $0[0] + String(repeating: " ", count: 18 - $0[0].count) + $0[1] }
    Output.line(lines.joined(separator: "\n"))
    Output.line("\(it.images) made and as many real images, \(features) features; no ImageNet FID")
    if it.images <= features {
      Output.line("fewer images than features: the distance says little")
    }
  }
}
