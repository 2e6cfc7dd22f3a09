import Foundation
import MoECore
import MoERouting
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@testable import MoEModels

@Suite("Encoders, classifiers and diffusion transformers with weights of several types")
struct MixedKindsTests {
  private static let types: [DType] = [.f32, .bf16, .f16, .f64]

  /// Writes weights, each in a type of its own.
  private func write(_ weights: [NamedParameter], seed: UInt64, to path: FilePath) throws {
    var generator = SeededGenerator(seed: seed)
    let tensors = weights.map {
      (
        $0.name,
        $0.parameter.value.cast(to: Self.types.randomElement(using: &generator) ?? .f32)
      )
    }
    try SafetensorsFile.write(Dictionary(uniqueKeysWithValues: tensors), to: path)
  }

  @Test("encode texts", arguments: EncoderParityTests.names, 0..<3)
  func encoders(name: String, seed: UInt64) throws {
    let source = Fixtures.path("encoders").appending(name)
    var generator = SeededGenerator(seed: seed)
    let mixed = try MixedFolder(source) {
      $1.isFloatingPoint
        ? $1.cast(to: Self.types.randomElement(using: &generator) ?? .f32) : $1
    }
    let encoder = try StoredEncoder(mixed.folder.path).encoder()
    let views = encoder([TokenizedText([1, 2, 3]), TokenizedText([4, 5])])
    #expect(views.pooled.dtype == .f32 && views.pooled.isFinite().all())
  }

  @Test("classify texts", arguments: 0..<3)
  func textClassifiers(seed: UInt64) throws {
    let folder = try TemporaryFolder()
    let config = #"""
      {"model_type": "hecto", "labels": ["a", "b"], "max_length": 16, "width": 8, "expert_size": 8,
       "encoder": {"model_type": "bag", "vocab_size": 30, "hidden_size": 16}}
      """#
    try AtomicFile.write(config, to: folder.file("config.json"))
    let c = try ClassifierConfiguration(ConfigurationObject(folder.file("config.json")))
    let random = RandomWeights(RandomSource(seed: seed))
    let model = try TextClassifier(c, encoder: c.encoder.encoder(weights: random), weights: random)
    try write(model.parameters, seed: seed, to: folder.file("model.safetensors"))
    let found = try TextClassifier.open(folder.path).predict([TokenizedText([1, 2, 3])])
    #expect(found[0].probabilities.allSatisfy { $0.isFinite })
  }

  @Test("classify images", arguments: 0..<3)
  func imageClassifiers(seed: UInt64) throws {
    var generator = SeededGenerator(seed: seed)
    let mixed = try MixedFolder(Fixtures.path("fidelity").appending("classifier")) {
      $1.isFloatingPoint
        ? $1.cast(to: Self.types.randomElement(using: &generator) ?? .f32) : $1
    }
    let model = try ImageClassifier.open(mixed.folder.path)
    let c = model.configuration
    let logits = model(Tensor.zeros([2, c.channels, c.imageSize, c.imageSize])).logits
    #expect(logits.dtype == .f32 && logits.isFinite().all())
  }

  @Test(
    "make images in the type that the configuration names, or in that of the first weight",
    arguments: DiffusionExpertsConfiguration.Router.builtIn)
  func diffusion(router: DiffusionExpertsConfiguration.Router) throws {
    let folder = try TemporaryFolder()
    let model = try DiffusionSample.awake(router)
    for (seed, type) in [DType?.some(.f32), .bf16, .f64, nil].enumerated() {
      guard case .object(var values) = model.configuration.object else { return }
      values["dtype"] = type.map { .string($0.configurationName) }
      try AtomicFile.write(
        JSONText.line(JSONValue.object(values)), to: folder.file("config.json"))
      try write(
        model.parameters + model.buffers, seed: UInt64(seed), to: folder.file("model.safetensors"))
      let opened = try DiffusionTransformer.open(folder.path)
      let found = opened(
        DiffusionSample.images(3), times: DiffusionSample.times(3), labels: [0, 5, 4]
      ).prediction
      let first = opened.parameters.min { $0.name < $1.name }?.parameter.value.dtype
      #expect(found.dtype == type ?? first, "\(router.rule.name)")
      #expect(opened.parameters.allSatisfy { $0.parameter.value.dtype == found.dtype })
      #expect(found.isFinite().all(), "\(router.rule.name)")
    }
  }
}

extension Tensor {
  fileprivate var isFloatingPoint: Bool { dtype.isFloatingPoint }
}
