import MoEData
import MoECore
import MoEModels
import MoERouting
import MoETensor
import MoETestSupport
import SystemPackage

@testable import MoETraining

/// Results of `Tests/Fixtures/make/diffusion.py` for training and sampling.
struct DiffusionRun {
  let file: SafetensorsFile
  private let models: SafetensorsFile

  init() throws {
    let folder = Fixtures.path("diffusion")
    file = try SafetensorsFile(folder.appending("run.safetensors"))
    models = try SafetensorsFile(folder.appending("models.safetensors"))
  }

  func tensor(_ name: String) throws -> Tensor { try file.tensor(named: name) }

  /// A rule whose training and sampling the reference repeats, and the location of its results.
  struct Rule: Sendable {
    var prefix = ""
    var router = DiffusionExpertsConfiguration.Router.promoe
    var perToken = 1
  }

  static let rules = [
    Rule(), Rule(prefix: "experts/", router: .promoeExpertChoice),
    Rule(prefix: "three/", perToken: 3),
  ]

  static let mixed = [1, 5, 3, 0]
  static let labelled = [4, 2, 3, 0]

  /// The fixture's model with prototypes.
  func model(
    _ router: DiffusionExpertsConfiguration.Router = .promoe, perToken: Int = 1,
    objective: DiffusionConfiguration.Objective = .rectifiedFlow
  ) throws -> DiffusionTransformer {
    var configuration = DiffusionConfiguration(
      imageSize: 8, channels: 2, patchSize: 2, hiddenSize: 8, depth: 2, heads: 2, classes: 5,
      objective: objective)
    configuration.experts = DiffusionExpertsConfiguration(
      router, count: 4, hiddenSize: 8, classes: 5)
    configuration.experts?.perToken = perToken
    let model = try DiffusionTransformer(
      configuration, weights: RandomWeights(RandomSource(seed: 1)))
    for named in model.parameters {
      let (name, parameter) = (named.name, named.parameter)

      parameter.assign(try models.tensor(named: "weights/promoe/" + name))
    }
    return model
  }
}

/// A small set of images that differ by class: each class is a bright quarter on dark ground, with noise.
enum SampleImages {
  static func set(_ count: Int = 64, seed: UInt64 = 3) throws -> ImageArray {
    let labels = (0..<count).map { $0 % 4 }
    let noise = RandomSource(seed: seed).normal([count, 1, 8, 8], standardDeviation: 0.1)
    let pixels = labels.flatMap { label in
      (0..<64).map { place -> Float in
        let quarter = (place / 8) / 4 * 2 + (place % 8) / 4
        return quarter == label ? 0.8 : -0.8
      }
    }
    return try ImageArray(
      noise + Tensor(pixels, shape: [count, 1, 8, 8]), labels: labels, classes: 4)
  }

  static func model(
    _ router: DiffusionExpertsConfiguration.Router?, seed: UInt64 = 1,
    change: (inout DiffusionConfiguration) -> Void = { _ in }
  ) throws -> DiffusionTransformer {
    var configuration = DiffusionConfiguration(
      imageSize: 8, channels: 1, patchSize: 2, hiddenSize: 32, depth: 2, heads: 2, classes: 4,
      learnsSigma: false)
    configuration.experts = router.map {
      DiffusionExpertsConfiguration($0, count: 4, hiddenSize: 32, classes: 4)
    }
    change(&configuration)
    return try DiffusionTransformer(
      configuration, weights: RandomWeights(RandomSource(seed: seed)))
  }
}
