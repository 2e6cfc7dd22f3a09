import MoERouting
import Foundation
import MoECore
import MoEEvaluation
import MoEData
import MoEModels
import MoETensor
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

@testable import MoETraining

@Suite("Training classifiers of images, and measuring with them", .serialized)
struct ImageClassificationTests {
  private let folder: TemporaryFolder

  /// Forty-eight images of three classes, whose mean shades differ.
  init() throws {
    folder = try TemporaryFolder()
    var generator = SeededGenerator(seed: 4)
    let labels = (0..<48).map { $0 % 3 }
    let set = LabelledImages(
      width: 8, height: 8, channels: 1,
      bytes: labels.flatMap { label in
        (0..<64).map { _ in UInt8(label * 80) + UInt8.random(in: 0...60, using: &generator) }
      }, labels: labels, classes: ["0", "1", "2"])
    let (images, labelBytes) = IDXFile.bytes(of: set)
    _ = try folder.write(images, to: "images")
    _ = try folder.write(labelBytes, to: "labels")
  }

  private static let text = """
    {"task": "image_classification", "model": {"depth": 8, "width": 4},
     "data": {"train": "images", "labels": "labels", "validation_share": 0.25},
     "training": {"steps": 30, "batch_size": 12}, "optimizer": {"learning_rate": 0.01},
     "evaluation": {"every": 30}}
    """

  private func configuration(_ settings: [String] = []) throws -> TrainingConfiguration {
    try AtomicFile.write(Self.text, to: folder.file("config.json"))
    return try TrainingConfiguration(folder.file("config.json"), settings: settings)
  }

  private func trained(_ name: String, _ settings: [String] = []) throws -> FilePath {
    let run = try TrainingRun(
      configuration(settings), in: folder.file(name), resumes: false)
    guard case .finished(let model) = try run.run() else {
      throw SettingError(key: "run", value: "stopped", expected: "finished")
    }
    return model
  }

  private var files: ImageFiles {
    ImageFiles([folder.file("images")], labels: folder.file("labels"))
  }

  @Test("learns to distinguish classes, and its folder opens")
  func learns() throws {
    let path = try trained("run")
    let model = try ImageClassifier.open(path)
    #expect(model.configuration.labels == ["0", "1", "2"])
    let curve = try String(
      contentsOfFile: folder.file("run").appending("evaluation.csv").string, encoding: .utf8)
    let last = try #require(curve.split(separator: "\n").last).split(separator: ",")
    let accuracy = try #require(Double(last[2]))
    #expect(accuracy > 0.9, "\(curve)")
    let overview = try ModelSummary(path)
    #expect(overview.warnings.isEmpty && overview.text.contains("3 classes: 0, 1, 2"))
  }

  @Test("measures real images as near, and noise as far")
  func fidelity() throws {
    let measurement = try FidelityMeasurement(
      classifier: trained("run"), reference: files, count: 24)
    let real = try measurement.measure(files)
    #expect(real.precision == 1 && real.recall == 1)
    // The same images; the square root of their covariance is exact to rounding only.
    #expect(real.frechetDistance < 1e-3 * real.frechetFloor)
    #expect(real.images == 24 && real.floorImages == 24 && real.accuracy == real.realAccuracy)
    #expect((real.accuracy ?? 0) > 0.9 && real.frechetFloor > 0)
    var configuration = DiffusionConfiguration(
      imageSize: 8, channels: 1, patchSize: 2, hiddenSize: 16, depth: 2, heads: 2, classes: 3)
    let noise = try self.stored(configuration)
    let sampler = try DiffusionSampler(.euler, steps: 2)
    let made = try measurement.measure(noise, sampler: sampler, seed: 1)
    #expect(made.frechetDistance > 2 * real.frechetFloor && made.images == 24)
    #expect(try measurement.measure(noise, sampler: sampler, seed: 1) == made)
    configuration.imageSize = 16
    let large = try stored(configuration, "large")
    #expect(throws: SettingError.self) {
      try measurement.measure(large, sampler: sampler, seed: 1)
    }
    let classifier = folder.file("run").appending("model")
    try FidelityMeasurement.check(noise, sampler: sampler, classifier: classifier)
    let error = #expect(throws: SettingError.self) {
      try FidelityMeasurement.check(large, sampler: sampler, classifier: classifier)
    }
    #expect(error?.description.contains("of 1×16×16; it must be of 1×8×8") == true)
    configuration = noise.configuration
    configuration.labelDropout = 0
    let unlabelled = try stored(configuration, "unlabelled")
    #expect(throws: ImageSamplingError.noNullLabel) {
      try FidelityMeasurement.check(
        unlabelled, sampler: DiffusionSampler(.euler, steps: 2, guidance: Guidance(scale: 2)),
        classifier: classifier)
    }
    for count in [3, 49] {
      #expect(throws: SettingError.self) {
        try FidelityMeasurement(
          classifier: folder.file("run").appending("model"), reference: files, count: count)
      }
    }
  }

  @Test("says which weights are damaged")
  func damaged() throws {
    var configuration = DiffusionConfiguration(
      imageSize: 8, channels: 1, patchSize: 2, hiddenSize: 16, depth: 2, heads: 2, classes: 3)
    configuration.experts = DiffusionExpertsConfiguration(
      .promoe, count: 4, hiddenSize: 16, classes: 3)
    let broken = try stored(configuration, "broken", breaking: "final_layer.linear.bias")
    #expect {
      _ = try DiffusionInspection(of: broken.path, on: .files(files), name: "broken")
    } throws: {
      "\($0)".contains("final_layer.linear.bias is infinite or NaN")
    }
    let measurement = try FidelityMeasurement(
      classifier: trained("classifier", ["training.steps=1"]), reference: files, count: 12)
    let error = #expect(throws: NonFiniteScores.self) {
      try measurement.measure(broken, sampler: DiffusionSampler(.euler, steps: 2), seed: 1)
    }
    #expect(error?.weight == "final_layer.linear.bias" && error?.place == "the final layer")
  }

  private func stored(
    _ configuration: DiffusionConfiguration, _ name: String = "noise", breaking: String? = nil
  ) throws -> StoredDiffusionModel {
    let model = try DiffusionTransformer(
      configuration, weights: RandomWeights(RandomSource(seed: 1)))
    for named in model.parameters where named.name == breaking {
      let weight = named.parameter
      weight.assign(Tensor.full(.nan, weight.value.shape))
    }
    let path = folder.file(name)
    try FileManager.default.createDirectory(
      atPath: path.string, withIntermediateDirectories: true)
    try AtomicFile.write(configuration.json(), to: path.appending("config.json"))
    let all = (model.parameters + model.buffers).map { ($0.name, $0.parameter.value) }
    try SafetensorsFile.write(
      Dictionary(uniqueKeysWithValues: all), to: path.appending("model.safetensors"))
    return try StoredDiffusionModel(path)
  }

  @Test("inspects experts of every rule", arguments: DiffusionExpertsConfiguration.Router.builtIn)
  func inspection(router: DiffusionExpertsConfiguration.Router) throws {
    var configuration = DiffusionConfiguration(
      imageSize: 8, channels: 1, patchSize: 2, hiddenSize: 16, depth: 4, heads: 2, classes: 3)
    configuration.experts = DiffusionExpertsConfiguration(
      router, count: 4, hiddenSize: 16, classes: 3)
    let model = try stored(configuration)
    let found = try DiffusionInspection(of: model.path, on: .files(files), name: "new")
    let report = found.report
    #expect(report.images == 48 && report.blocks.map(\.place) == [1, 3])
    let hasRoles = router.hasRoles
    let roles = try #require(report.roles)
    #expect(abs(roles.routed + roles.unconditional + roles.shared - 1) < 1e-9)
    #expect((roles.unconditional > 0) == hasRoles && (roles.shared > 0) == hasRoles)
    // Every patch has one expert besides the shared one.
    if hasRoles { #expect(abs(roles.shared - 0.5) < 1e-9) }
    for block in report.blocks {
      #expect(block.subspaces.count == (hasRoles ? 5 : 4) && block.usage.count == 3)
      #expect(block.prototypes.isEmpty == ![.promoe, .promoeExpertChoice].contains(router))
      let halves = block.halves.map { $0.reduce(0, +) }
      #expect(block.load.reduce(0, +) == halves[0] + halves[1])
      if !router.choosesTokens { #expect(block.load.reduce(0, +) == 48 * 16) }
      #expect(block.gate > -1 && block.gate <= 1 && block.separation > 0)
    }
    #expect(found.sheet != nil)
  }

  @Test("counts the work of roles instead of deriving it from the configuration")
  func roles() throws {
    var configuration = DiffusionConfiguration(
      imageSize: 8, channels: 1, patchSize: 2, hiddenSize: 16, depth: 2, heads: 2, classes: 3,
      labelDropout: 0.5)
    configuration.experts = DiffusionExpertsConfiguration(
      .promoeExpertChoice, count: 3, hiddenSize: 16, classes: 3)
    let model = try stored(configuration)
    let roles = try #require(
      DiffusionInspection(of: model.path, on: .files(files), name: "new").report.roles)
    // Three experts take five patches each of the 16 of an image with a label, and one works on all of another.
    let shared = 48.0 * 16
    let all = shared / roles.shared
    let unlabelled = (roles.unconditional * all / 16).rounded()
    #expect(8...40 ~= unlabelled)
    #expect(abs(all - (shared + unlabelled * 16 + (48 - unlabelled) * 15)) < 1e-6)
    #expect(abs(roles.routed - (48 - unlabelled) * 15 / all) < 1e-9)
  }

  @Test("the bundled classifier recognises digits by writers that it has never seen")
  func bundled() throws {
    let data = Fixtures.package.appending("Data")
    let digits = data.appending("digits")
    let images = try ImageFiles(
      [digits.appending("images-idx3-ubyte")], labels: digits.appending("labels-idx1-ubyte")
    ).read()
    let held = try #require(ImageDataSettings.split(images, share: 0.15).held)
    let model = try ImageClassifier.open(data.appending("digits-classifier"))
    let pixels = Tensor(held.bytes, shape: [held.count, 1, 8, 8]).cast(to: .f32) / 127.5 - 1
    let answers = try ImageFeatures(model, pixels, labels: held.labels)
    #expect(held.count == 269 && (answers.accuracy ?? 0) > 0.95, "\(answers.accuracy ?? 0)")
  }

  @Test(
    "wrong configurations are refused before work starts",
    arguments: [
      ("model.depth=9", "2 more than a multiple of 6"), ("model.widht=3", "did you mean"),
      ("training.batch_size=1", "at least 2"), ("training.precision=bf16", "f32"),
      ("training.recompute=true", "false"), ("data.format=latents", "latents"),
      ("data.labels=nowhere", "no such file"), ("losses.balance=1", "did you mean"),
    ])
  func refusals(setting: String, expected: String) throws {
    let settings =
      setting == "data.format=latents" ? [setting, "data.validation_share=0"] : [setting]
    #expect {
      _ = try TrainingRun(
        configuration(settings), in: folder.file("refused"), resumes: false)
    } throws: {
      "\($0)".contains(expected)
    }
  }
}

extension DiffusionExpertsConfiguration.Router {
  /// Whether experts choose tokens rather than tokens experts.
  fileprivate var choosesTokens: Bool {
    [.promoeExpertChoice, .expertChoice, .diffMoE].contains(self)
  }
}
