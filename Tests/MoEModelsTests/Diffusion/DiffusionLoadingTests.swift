import MoECore
import MoERouting
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@testable import MoEModels

/// Fixtures: `Tests/Fixtures/make/diffusion.py`.
@Suite("Diffusion transformers on disk")
struct DiffusionLoadingTests {
  private let checkpoint = Fixtures.path("diffusion").appending("promoe.pth")

  /// The configuration of the checkpoint, whose width of 8 is not that of a known size.
  private var configuration: DiffusionConfiguration {
    let test = DiffusionFixture.cases.first { $0.name == "promoe-tokens-identity-1-mixed" }
    return DiffusionFixture.configuration(test ?? DiffusionFixture.cases[0])
  }

  private func prediction(_ model: DiffusionTransformer) -> Tensor {
    model(DiffusionSample.images(2), times: DiffusionSample.times(2), labels: [1, 5]).prediction
  }

  private func save(_ model: DiffusionTransformer, to folder: FilePath) throws {
    try AtomicDirectory.write(to: folder) { folder in
      try AtomicFile.write(try model.configuration.json(), to: folder.appending("config.json"))
      let all = (model.parameters + model.buffers).map { ($0.name, $0.parameter.value) }
      try SafetensorsFile.write(
        Dictionary(uniqueKeysWithValues: all), to: folder.appending("model.safetensors"))
    }
  }

  @Test("open from the released format, and are the same after conversion")
  func conversion() throws {
    let folder = try TemporaryFolder()
    let model = try DiffusionTransformer.open(checkpoint, as: configuration)
    let fixture = try DiffusionFixture()
    for named in model.parameters {
      let (name, parameter) = (named.name, named.parameter)

      // The running average, which the fixture made half of the weights.
      expectClose(
        parameter.value * 2, try fixture.tensor("weights/promoe/" + name), .exact, name)
    }
    let unused = try DiffusionStateDictionary(checkpoint)
      .write(to: folder.file("model"), as: configuration)
    #expect(unused.isEmpty)
    let converted = try DiffusionTransformer.open(folder.file("model"))
    #expect(converted.configuration == configuration)
    expectClose(prediction(converted), prediction(model), .exact)
    try DiffusionStateDictionary(checkpoint, .trained)
      .write(to: folder.file("trained"), as: configuration)
    let trained = try DiffusionTransformer.open(folder.file("trained"))
    expectClose(
      trained.parameters[0].parameter.value, model.parameters[0].parameter.value * 2, .exact)
  }

  @Test("show their architecture by names and shapes", arguments: DiffusionSize.allCases)
  func contents(size: DiffusionSize) throws {
    for router in [nil] + DiffusionExpertsConfiguration.Router.builtIn {
      let known = DiffusionConfiguration.preset(size, router: router)
      let shapes = Dictionary(
        uniqueKeysWithValues: try known.tensorShapes().map { ($0.name, $0.shape) })
      let contents = DiffusionContents(path: "x", shapes: shapes)
      var found = try contents.configuration()
      // Names and shapes of ProMoE's two forms are the same.
      if router == .promoeExpertChoice { found.experts?.router = .promoeExpertChoice }
      #expect(found == known)
      try contents.check(known)
    }
  }

  @Test("have their own names, whatever wrapped them for training")
  func wrappers() {
    for (name, plain) in [
      ("module.pos_embed", "pos_embed"), ("_orig_mod.pos_embed", "pos_embed"),
      ("module._orig_mod.pos_embed", "pos_embed"), ("_orig_mod.module.pos_embed", "pos_embed"),
      ("blocks.0._orig_mod.attn.qkv.weight", "blocks.0.attn.qkv.weight"),
      ("blocks.0._checkpoint_wrapped_module.mlp.fc1.bias", "blocks.0.mlp.fc1.bias"),
      ("_fsdp_wrapped_module.blocks.1.module.x", "blocks.1.module.x"), ("pos_embed", "pos_embed"),
    ] {
      #expect(DiffusionStateDictionary.unwrapped(name) == plain)
    }
  }

  @Test(
    "of experts for images without a label refuse as many stated classes as labels",
    arguments: DiffusionExpertsConfiguration.Router.builtIn)
  func unconditionalLabels(router: DiffusionExpertsConfiguration.Router) throws {
    let known = DiffusionConfiguration.preset(.small, router: router)
    let shapes = Dictionary(
      uniqueKeysWithValues: try known.tensorShapes().map { ($0.name, $0.shape) })
    let contents = DiffusionContents(path: "x", shapes: shapes)
    #expect(try contents.configuration(classes: known.classes).hasNullLabel)
    guard known.experts?.hasUnconditional == true else {
      #expect(try !contents.configuration(classes: known.classes + 1).hasNullLabel)
      return
    }
    let error = #expect(throws: ConfigurationError.self) {
      try contents.configuration(classes: known.classes + 1)
    }
    let message = error.map { "\($0)" } ?? ""
    #expect(
      message.contains("args.num_classes") && !message.contains("label_dropout"), "\(message)")
  }

  @Test("have a null label unless there are as many classes as labels")
  func nullLabel() throws {
    let known = DiffusionConfiguration.preset(.small, router: nil)
    let shapes = Dictionary(
      uniqueKeysWithValues: try known.tensorShapes().map { ($0.name, $0.shape) })
    let contents = DiffusionContents(path: "x", shapes: shapes)
    let rows = known.classes + 1
    for (stated, classes) in [(nil, rows - 1), (rows - 1, rows - 1), (rows, rows)] as [(Int?, Int)]
    {
      let found = try contents.configuration(classes: stated)
      #expect(found.classes == classes && found.hasNullLabel == (classes < rows))
      try contents.check(found)
    }
  }

  @Test("say what tensors do not, which other tensors would not change")
  func unseen() throws {
    for router in [nil] + DiffusionExpertsConfiguration.Router.builtIn {
      let known = DiffusionConfiguration.preset(.base, router: router)
      var other = known
      other.heads = 6
      (other.labelDropout, other.objective) = (0.2, .noisePrediction)
      let hasK = router.map { ![.classification, .kMeans].contains($0) } == true
      if hasK { other.experts?.perToken = 3 }
      if router?.rule.keys.contains(.scoring) == true {
        other.experts?.router = router == .promoe ? .promoeExpertChoice : .promoe
        other.experts?.scoring = .softmax
      }
      #expect(try other.tensorShapes().map(\.name) == known.tensorShapes().map(\.name))
      #expect(try other.tensorShapes().map(\.shape) == known.tensorShapes().map(\.shape))
      let keys = known.unseen.map(\.key)
      #expect(keys == other.unseen.map(\.key) && keys.first == "num_attention_heads")
      #expect(keys.contains("experts.per_token") == hasK)
      #expect(
        !zip(known.unseen, other.unseen).contains { $0.value == $1.value }
          || router == .classification)
    }
  }

  @Test("that differ from the description are rejected, saying what they are")
  func others() throws {
    var other = configuration
    other.hiddenSize = 16
    #expect(message(other).contains("2 blocks of width 8;"), "\(message(other))")
    #expect(message(other).contains("2 blocks of width 16;"))
    other = configuration
    other.experts = DiffusionExpertsConfiguration(.tokenChoice, count: 4, hiddenSize: 8, classes: 5)
    #expect(
      message(other).contains("holds ProMoE, tokens choosing (")
        && message(other).contains("TC-DiT"))
    other.experts = nil
    #expect(message(other).contains("describes a dense model"))
    other = configuration
    other.depth = 3
    #expect(message(other).contains("3 blocks"))
    other = configuration
    other.classes = 6
    #expect(message(other).contains("5 classes") && message(other).contains("6 classes"))
    // Experts may choose with the same weights.
    other = configuration
    other.experts?.router = .promoeExpertChoice
    #expect(message(other).isEmpty)
    // The file does not say how many heads a model of an unknown width has.
    let error = #expect(throws: ConfigurationError.self) {
      try DiffusionTransformer.open(checkpoint)
    }
    #expect(error?.description.contains("num_attention_heads") == true)
  }

  private func message(_ configuration: DiffusionConfiguration) -> String {
    do {
      _ = try DiffusionTransformer.open(checkpoint, as: configuration)
      return ""
    } catch { return "\(error)" }
  }

  @Test("in folders are refused with the tensor or the model that is wrong")
  func folders() throws {
    let folder = try TemporaryFolder()
    let model = try DiffusionSample.awake(.diffMoE)
    try save(model, to: folder.file("whole"))
    let opened = try DiffusionTransformer.open(folder.file("whole"))
    expectClose(prediction(opened), prediction(model), .exact)

    var configuration = model.configuration
    configuration.experts = nil
    try AtomicFile.write(
      try configuration.json(), to: folder.file("whole").appending("config.json"))
    let other = #expect(throws: ModelError.self) {
      try DiffusionTransformer.open(folder.file("whole"))
    }
    #expect(other?.description.contains("DiffMoE") == true, "\(other?.description ?? "")")

    func refused(_ name: String, _ change: (inout [String: Tensor]) -> Void) throws -> String {
      let path = folder.file(name)
      try save(model, to: path)
      let file = try SafetensorsFile(path.appending("model.safetensors"))
      var tensors: [String: Tensor] = [:]
      for entry in file.header.entries {
        tensors[entry.name] = try file.tensor(named: entry.name).copied()
      }
      change(&tensors)
      try SafetensorsFile.write(tensors, to: path.appending("model.safetensors"))
      let error = #expect(throws: ModelError.self) { try DiffusionTransformer.open(path) }
      return error?.description ?? ""
    }
    let threshold = "blocks.1.mlp.expert_threshold"
    #expect(
      try refused("missing") { $0["blocks.2.attn.proj.bias"] = nil }.contains(
        "blocks.2.attn.proj.bias"))
    #expect(
      try refused("shape") { $0["blocks.3.mlp.gate_weight"] = Tensor.zeros([4, 8]) }
        .contains("blocks.3.mlp.gate_weight"))
    #expect(try refused("type") { $0[threshold] = Tensor([1, 2, 3, 4]) }.contains(threshold))
  }

  @Test("compute in another type, but keep thresholds")
  func types() throws {
    let folder = try TemporaryFolder()
    let model = try DiffusionSample.awake(.diffMoE)
    try save(model, to: folder.file("model"))
    let narrow = try DiffusionTransformer.open(folder.file("model"), dtype: .bf16)
    #expect(narrow.parameters.allSatisfy { $0.parameter.value.dtype == .bf16 })
    #expect(narrow.buffers.allSatisfy { $0.parameter.value.dtype == .f32 })
    #expect(prediction(narrow).dtype == .bf16)
    // Routing in f32 of rounded scores: single tokens may move, most do not.
    let difference = (prediction(narrow).cast(to: .f32) - prediction(model)).norm().item(
      as: Float.self)
    #expect(difference < 0.2 * prediction(model).norm().item(as: Float.self))
  }
}
