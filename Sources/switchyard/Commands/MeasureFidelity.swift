import MoECore
import MoEData
import ArgumentParser
import Foundation
import MoEEvaluation
import MoEModels
import MoETraining
import SystemPackage

/// Real images named by an option.
struct ImageDataOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "For images in the format of MNIST: the file with their labels.", valueName: "file"),
    completion: .file()) var labels: PathArgument?

  /// The files of the option; more than one means CIFAR files.
  func files(_ paths: [PathArgument]) -> ImageFiles {
    ImageFiles(paths.map(\.path), labels: labels?.path)
  }
}

struct MeasureFidelity: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "fidelity",
    abstract: "Measure how close generated images come to real ones.",
    discussion: """
      IMAGES is a diffusion model, whose images are made here, or a folder of images by class that \
      another program made. A small classifier looks at them and at as many real images, and its \
      features are compared: Fréchet distance, precision and recall (3 nearest neighbours), \
      Inception Score, and the fraction of images that show the requested class.

      These numbers are not ImageNet FIDs: they can be compared only with others for the same \
      classifier, the same real images and the same --count. The line "real halves" is the \
      distance between two sets of real images, which generated images hardly ever beat.

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
      "Images to compare on each side (default: as many as there are real ones, at most \(FidelityMeasurement.usualCount))."
  ) var count: Int?
  @Option(help: "Number of sampling steps.") var steps = 50
  @OptionGroup var guidance: GuidanceOptions
  @Option(help: "Sampler (default: the one that fits the model).") var sampler: SamplerName?
  @Option(help: "Seed of the random numbers.") var seed: UInt64 = 0
  @Flag(help: "Print one JSON object instead of text.") var json = false
  @OptionGroup var engine: EngineOptions

  func validate() throws {
    guard !reference.isEmpty else { throw ValidationError("--reference needs a path.") }
    guard count ?? FidelityMeasurement.leastCount >= FidelityMeasurement.leastCount else {
      throw ValidationError(
        "--count is \(count ?? 0); it must be at least \(FidelityMeasurement.leastCount).")
    }
    try SamplingSteps.check(steps, sampler)
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

  /// The measures, and the number of features per image that they compare.
  private func measured(
    _ progress: @escaping ProgressHandler
  ) throws -> (fidelity: ImageFidelity, features: Int) {
    // A model that does not fit is rejected before real images are read.
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
    Output.line(
      "\(it.images) generated and as many real images, \(features) features; no ImageNet FID")
    let location = try? ModelLocation(images.path)
    if let weights = location.flatMap({ RunWeights(of: $0) }) {
      Output.line("generated by the \(weights.rawValue)")
    }
    if it.images <= features {
      Output.line("fewer images than features: the distance says little")
    }
  }
}
