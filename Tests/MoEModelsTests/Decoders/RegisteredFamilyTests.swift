import SystemPackage
import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import Testing

/// OLMoE with biases in attention, under a name that the library does not know.
private enum BiasedOLMoE: DecoderFamily {
  static let modelType = "test_biased_olmoe"
  static let names = WeightNames.usual

  static func configuration(_ json: ConfigurationObject) throws -> DecoderConfiguration {
    var result = try OLMoE.configuration(json)
    (result.family, result.hasAttentionBias) = (modelType, true)
    return result
  }
}

@Suite("A family from outside")
struct RegisteredFamilyTests {
  private static let isRegistered: Bool = {
    DecoderFamilies.registry.register(BiasedOLMoE.modelType, BiasedOLMoE.self)
    return true
  }()

  @Test("opens under its model_type, with weights of its own")
  func open() throws {
    #expect(Self.isRegistered)
    let folder = try TemporaryFolder()
    let config = try String(
      decoding: readBytes(Fixtures.path("decoders").appending("olmoe").appending("config.json")),
      as: UTF8.self)
    let changed = config.replacing("\"olmoe\"", with: "\"\(BiasedOLMoE.modelType)\"")
    let path = try folder.write(Array(changed.utf8), to: "config.json")
    let configuration = try BiasedOLMoE.configuration(ConfigurationObject(path))
    let model = try MoEDecoder(
      configuration, names: BiasedOLMoE.names, weights: RandomWeights(RandomSource(seed: 1)))
    let tensors = model.parameters.map { ($0.name, $0.parameter.value) }
    try SafetensorsFile.write(
      Dictionary(uniqueKeysWithValues: tensors), to: folder.file("model.safetensors"))
    let opened = try MoEDecoder.open(folder.path)
    #expect(opened.configuration.family == BiasedOLMoE.modelType)
    let tokens = Tensor([1, 2, 3], shape: [1, 3])
    expectClose(
      withoutGradients { opened(tokens).logits }, withoutGradients { model(tokens).logits }, .exact)
  }
}
