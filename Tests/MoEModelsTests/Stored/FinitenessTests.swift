import Foundation
import MoECore
import MoERouting
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@testable import MoEModels

/// A model that computes NaN or infinity says in which part, for which token or image, and which weight is to blame.
@Suite("Scores that are not finite")
struct FinitenessTests {
  private static let tokens = [3, 1, 4, 1, 5, 9, 2, 6]

  /// A decoder with one element of a weight changed.
  private func decoder(
    _ family: String, _ name: String, at place: Int, to value: Double = .nan,
    dtype: DType = .f32
  ) throws -> MoEDecoder {
    let mixed = try MixedFolder(Fixtures.path("decoders").appending(family)) {
      $0 == name ? Self.changed($1, at: place, to: value) : $1
    }
    return try MoEDecoder.open(mixed.folder.path, dtype: dtype)
  }

  private static func changed(_ tensor: Tensor, at place: Int, to value: Double) -> Tensor {
    var numbers = tensor.cast(to: .f32).array(of: Float.self)
    numbers[place] = Float(value)
    return Tensor(numbers, shape: tensor.shape)
  }

  @Test(
    "of a decoder are refused with layer, position and weight",
    arguments: [
      ("mixtral", "model.layers.1.self_attn.q_proj.weight", "layer 1", 0),
      ("llama", "model.layers.2.mlp.down_proj.weight", "layer 2", 0),
      ("olmoe", "model.norm.weight", "the final normalization with the head", 0),
      // Row 4 of the embedding: token 4, which is at position 2.
      ("qwen3_moe", "model.embed_tokens.weight", "the embedding", 2),
    ])
  func decoders(family: String, weight: String, part: String, position: Int) throws {
    for value in [Double.nan, .infinity] {
      let model = try decoder(family, weight, at: weight.contains("embed") ? 4 * 32 : 5, to: value)
      let expected = NonFiniteScores(
        place: part, position: position, weight: weight, dtype: .f32)
      var generator = TextGenerator(
        model, prompt: Self.tokens, sampler: Sampler(try SamplingSettings(temperature: 0), seed: 0))
      #expect(throws: expected) { try generator.next() }
      let scores = model(Tensor(Self.tokens, shape: [1, 8])).logits
      var later = expected
      later.position = position + 100
      #expect(throws: later) { try model.check(scores, of: Self.tokens, from: 100) }
    }
  }

  @Test("are found in the middle of a generated text")
  func laterToken() throws {
    let good = try MoEDecoder.open(Fixtures.path("decoders").appending("llama"))
    var generator = TextGenerator(
      good, prompt: Self.tokens, sampler: Sampler(try SamplingSettings(temperature: 0), seed: 0))
    let first = try #require(try generator.next())
    try #require(!Self.tokens.contains(first))
    let model = try decoder("llama", "model.embed_tokens.weight", at: first * 32)
    var second = TextGenerator(
      model, prompt: Self.tokens, sampler: Sampler(try SamplingSettings(temperature: 0), seed: 0))
    #expect(try second.next() == first)
    let error = #expect(throws: NonFiniteScores.self) { try second.next() }
    #expect(error?.place == "the embedding" && error?.position == Self.tokens.count)
  }

  @Test("of finite weights blame the type")
  func narrowType() throws {
    let model = try decoder(
      "llama", "model.layers.1.input_layernorm.weight", at: 3, to: 6e4, dtype: .f16)
    let error = #expect(throws: NonFiniteScores.self) {
      try model.check(
        model(Tensor(Self.tokens, shape: [1, 8])).logits, of: Self.tokens)
    }
    #expect(error?.weight == nil && error?.dtype == .f16)
    #expect("\(error, default: "")".contains("too large for f16, so compute in f32"))
  }

  @Test("change nothing where all are finite")
  func finite() throws {
    let model = try MoEDecoder.open(Fixtures.path("decoders").appending("deepseek"))
    let scores = model(Tensor(Self.tokens, shape: [1, 8])).logits
    try model.check(scores, of: Self.tokens)
    #expect(model.nonFinite(in: Self.tokens).place == nil)
  }

  @Test("of a text classifier are refused with the layer or the part of the head")
  func textClassifiers() throws {
    let path = Fixtures.path("encoders").appending("bert")
    let stored = try StoredEncoder(path)
    let router = try SingleExpertRouter(temperature: 1, gradient: .straightThrough)
    let configuration = ClassifierConfiguration(
      encoder: stored.configuration,
      mixture: MixtureConfiguration(
        experts: [.feedForward], inputs: stored.configuration.hiddenSize, width: 8, expertSize: 8,
        outputs: 2, router: router), target: .classes(["a", "b"]), maximumLength: 8)
    for (name, part) in [
      ("encoder.layer.1.output.dense.weight", "layer 1"),
      ("embeddings.position_embeddings.weight", "the embedding"), ("gate.weight", "the gate"),
      ("experts.0.", "the expert"),
    ] {
      let model = try TextClassifier(
        configuration, encoder: stored.encoder(),
        weights: RandomWeights(RandomSource(seed: 1)))
      let good = try model.predict([TokenizedText([1, 2, 3])])
      #expect(good[0].probabilities.allSatisfy { $0.isFinite })
      let named = try #require(
        (model.encoder.parameters + model.mixture.parameters).first { $0.name.hasPrefix(name) })
      named.parameter.assign(Self.changed(named.parameter.value, at: 0, to: .nan))
      let error = #expect(throws: NonFiniteScores.self) {
        try model.predict([TokenizedText([4, 5]), TokenizedText([1, 2, 3])])
      }
      #expect(error?.place == part && error?.weight == named.name, "\(String(describing: error))")
    }
  }

  @Test("of a diffusion transformer are refused with block and image")
  func diffusion() throws {
    for method in [DiffusionSampler.Method.euler, .heun] {
      let model = try DiffusionSample.awake(.promoe)
      let sampler = try DiffusionSampler(method, steps: 2, guidance: Guidance(scale: 2))
      #expect(try sampler.images(from: model, labels: [0, 1], seed: 1).isAllFinite)
      let label = try #require(model.parameters.first { $0.name.hasPrefix("y_embedder") })
      let good = label.parameter.value
      label.parameter.assign(Self.changed(good, at: 32, to: .nan))
      let error = #expect(throws: NonFiniteScores.self) {
        try sampler.images(from: model, labels: [0, 1], seed: 1)
      }
      #expect(error?.place == "the embedding of times and labels" && error?.position == 1)
      label.parameter.assign(good)
      let name = "blocks.2.attn.proj.weight"
      let weight = try #require(model.parameters.first { $0.name == name })
      weight.parameter.assign(Self.changed(weight.parameter.value, at: 0, to: .infinity))
      let expected = NonFiniteScores(
        place: "block 2", position: 0, unit: .image, weight: name, dtype: .f32)
      #expect(throws: expected) { try sampler.images(from: model, labels: [0, 1], seed: 1) }
    }
  }

  @Test("of an image classifier are refused with the block")
  func imageClassifiers() throws {
    let model = try ImageClassifier.open(Fixtures.path("fidelity").appending("classifier"))
    let c = model.configuration
    let images = Tensor.zeros([2, c.channels, c.imageSize, c.imageSize])
    try model.check(model(images), of: images)
    let named = try #require(model.parameters.first { $0.name == "layer2.0.conv1.weight" })
    named.parameter.assign(Self.changed(named.parameter.value, at: 0, to: .nan))
    let error = #expect(throws: NonFiniteScores.self) {
      try model.check(model(images), of: images)
    }
    #expect(error?.place == "block \(c.blocks)" && error?.weight == named.name)
  }

  @Test("stop the conversion of a dense model before anything is written")
  func upcycling() throws {
    let mixed = try MixedFolder(Fixtures.path("decoders").appending("llama")) {
      $0 == "model.layers.1.mlp.up_proj.weight" ? Self.changed($1, at: 0, to: .nan) : $1
    }
    for noise in [0, 0.01] {
      let out = mixed.folder.file("new")
      var plan = UpcyclingPlan(experts: 2, k: 1)
      plan.noise = noise
      let error = #expect(throws: NonFiniteScores.self) {
        try Upcycling.write(StoredModel(mixed.folder.path), as: plan, to: out)
      }
      #expect(error?.place == "layer 1" && out.isMissing, "\(String(describing: error))")
      #expect(error?.weight == "model.layers.1.mlp.up_proj.weight")
    }
  }

  @Test("extremes see every kind of number that is not finite, in every type")
  func extremes() {
    for dtype in [DType.f64, .f32, .bf16, .f16] {
      for value in [Float.nan, .infinity, -.infinity] {
        #expect(!Tensor([0, value, 1]).cast(to: dtype).isAllFinite)
      }
      #expect(Tensor([0, -3, 1] as [Float]).cast(to: dtype).isAllFinite)
      #expect(Tensor.zeros([0, 4], dtype: dtype).isAllFinite)
    }
    #expect(Tensor([1e300, -1e300]).isAllFinite)
  }
}
