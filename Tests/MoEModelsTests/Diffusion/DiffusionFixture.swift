import MoECore
import MoEModels
import MoERouting
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

/// Models and results of `Tests/Fixtures/make/diffusion.py`.
struct DiffusionFixture {
  /// A model and what the reference computed with it.
  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var family: String
    var router: DiffusionExpertsConfiguration.Router?
    var k = 1
    var scoring = "identity"
    var hasNullLabels = true
    var testDescription: String { name }
  }

  static let cases: [Case] =
    ["tokens", "experts"].flatMap { chooser in
      ["identity", "sigmoid", "softmax"].flatMap { scoring in
        [1, 3].flatMap { k in
          ["mixed", "labelled"].map { labels in
            Case(
              name: "promoe-\(chooser)-\(scoring)-\(k)-\(labels)", family: "promoe",
              router: chooser == "tokens" ? .promoe : .promoeExpertChoice, k: k, scoring: scoring,
              hasNullLabels: labels == "mixed")
          }
        }
      }
    }
    + [
      Case(name: "dense", family: "dense"), Case(name: "qk_norm", family: "qk_norm"),
      Case(name: "tc_dit", family: "tc_dit", router: .tokenChoice),
      Case(name: "tc_dit-2", family: "tc_dit", router: .tokenChoice, k: 2),
      Case(name: "tc_dit-3", family: "tc_dit", router: .tokenChoice, k: 3),
      Case(
        name: "tc_dit-labelled", family: "tc_dit", router: .tokenChoice, hasNullLabels: false),
      Case(
        name: "ec_dit-labelled", family: "ec_dit", router: .expertChoice, hasNullLabels: false),
      Case(name: "diffmoe-labelled", family: "diffmoe", router: .diffMoE, hasNullLabels: false),
      Case(name: "ec_dit", family: "ec_dit", router: .expertChoice),
      Case(name: "diffmoe", family: "diffmoe", router: .diffMoE),
      Case(name: "classification", family: "classification", router: .classification),
      Case(name: "k_means", family: "k_means", router: .kMeans),
    ]

  private let file: SafetensorsFile
  /// More cases.
  private let more: SafetensorsFile

  init() throws {
    let folder = Fixtures.path("diffusion")
    file = try SafetensorsFile(folder.appending("models.safetensors"))
    more = try SafetensorsFile(folder.appending("more.safetensors"))
  }

  /// The configuration of a case's model.
  static func configuration(_ test: Case) -> DiffusionConfiguration {
    var result = DiffusionConfiguration(
      imageSize: 8, channels: 2, patchSize: 2, hiddenSize: 8, depth: 2, heads: 2, classes: 5,
      hasQueryKeyNorm: test.family == "qk_norm")
    if let router = test.router {
      var experts = DiffusionExpertsConfiguration(router, count: 4, hiddenSize: 8, classes: 5)
      (experts.size, experts.perToken) = (16, test.k)
      if experts.hasUnconditional { experts.sharedSize = 16 }
      experts.scoring = .init(rawValue: test.scoring) ?? .identity
      if router == .classification { experts.superclasses = [0, 1, 2, 3, 1] }
      result.experts = experts
    }
    return result
  }

  func model(_ test: Case) throws -> DiffusionTransformer {
    try DiffusionTransformer(
      Self.configuration(test), weights: FixtureWeights(file, prefix: "weights/\(test.family)/"))
  }

  func contains(_ name: String) -> Bool { file.contains(name) || more.contains(name) }

  func tensor(_ name: String) throws -> Tensor {
    try (file.contains(name) ? file : more).tensor(named: name)
  }

  /// The labels of the batch; 5 is the null label.
  static func labels(_ test: Case) -> [Int] { test.hasNullLabels ? [1, 5, 3, 0] : [4, 2, 3, 0] }
}

/// Weights under a prefix; missing ones are initialized as in a new model.
final class FixtureWeights: WeightSource {
  private let file: SafetensorsFile
  private let prefix: String

  init(_ file: SafetensorsFile, prefix: String) { (self.file, self.prefix) = (file, prefix) }

  func weight(_ name: String, _ shape: [Int], start: WeightStart) throws -> Parameter {
    // Positions are not in the fixture, but computed by both sides.
    if case .given(let values) = start, name == "pos_embed" {
      return Parameter(Tensor(values, shape: shape))
    }
    let tensor = try file.tensor(named: prefix + name)
    precondition(tensor.shape == shape, "\(name) has the shape \(tensor.shape), not \(shape)")
    return Parameter(tensor)
  }

  func expertWeights(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [Parameter] {
    try (0..<experts).map { try weight("\(block.prefix).\($0)", shape, start: .zeros) }
  }
}
