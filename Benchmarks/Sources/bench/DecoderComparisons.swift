import Foundation
import MoECore
import MoEModels
import MoETensor
import SystemPackage

/// Reading a prompt and generating tokens with Mixture-of-Experts language models with random
/// weights.
enum DecoderComparisons {
  /// A model of the comparison, as transformers' OLMoE describes it.
  struct Shape {
    var name: String
    var hidden: Int
    var layers: Int
    var heads: Int
    var experts: Int
    var k: Int
    var inner: Int
    var vocabulary: Int
    var dtype: DType
    var prefillBar: Double
    var decodeBar: Double

    var config: String {
      """
      {"model_type": "olmoe", "architectures": ["OlmoeForCausalLM"], "vocab_size": \(vocabulary),
       "hidden_size": \(hidden), "intermediate_size": \(inner), "num_hidden_layers": \(layers),
       "num_attention_heads": \(heads), "num_key_value_heads": \(heads), "hidden_act": "silu",
       "max_position_embeddings": 4096, "rms_norm_eps": 1e-5, "rope_theta": 10000.0,
       "num_experts": \(experts), "num_experts_per_tok": \(k), "norm_topk_prob": false,
       "tie_word_embeddings": false, "eos_token_id": null, "pad_token_id": null,
       "dtype": "\(dtype == .bf16 ? "bfloat16" : "float32")"}
      """
    }
  }

  static let shapes = [
    Shape(
      name: "8 experts top-2, f32", hidden: 256, layers: 4, heads: 8, experts: 8, k: 2, inner: 512,
      vocabulary: 4096, dtype: .f32, prefillBar: 1 / 1.2, decodeBar: 1.0 / 3),
    Shape(
      name: "64 experts top-8, f32", hidden: 256, layers: 4, heads: 8, experts: 64, k: 8,
      inner: 128,
      vocabulary: 4096, dtype: .f32, prefillBar: 1 / 1.2, decodeBar: 1.0 / 3),
    Shape(
      name: "1.32 B weights, 64 experts top-8, bf16", hidden: 1024, layers: 12, heads: 16,
      experts: 64,
      k: 8, inner: 512, vocabulary: 32000, dtype: .bf16, prefillBar: 1 / 1.2, decodeBar: 0.5),
  ]

  /// As many weights as SmolLM2-135M, whose generation is a few hundred parallel steps of some 50 µs per token.
  static let dense = Shape(
    name: "138 M weights, f32", hidden: 576, layers: 30, heads: 9, experts: 1, k: 1, inner: 1536,
    vocabulary: 16384, dtype: .f32, prefillBar: 1, decodeBar: 1)

  /// Writes a model folder with random weights.
  static func makeModel(_ shape: Shape, in folder: FilePath) throws -> FilePath {
    let path = folder.appending(shape.name.filter { $0.isLetter || $0.isNumber })
    let weights = path.appending("model.safetensors").string
    if FileManager.default.fileExists(atPath: weights) { return path }
    try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
    try AtomicFile.write(shape.config, to: path.appending("config.json"))
    let configuration = try OLMoE.configuration(ConfigurationObject(path.appending("config.json")))
    let model = try MoEDecoder(
      configuration, names: OLMoE.names, weights: RandomWeights(RandomSource(seed: 1)))
    let tensors = model.parameters.map { ($0.name, $0.parameter.value.cast(to: shape.dtype)) }
    try SafetensorsFile.write(
      Dictionary(uniqueKeysWithValues: tensors), metadata: ["format": "pt"],
      to: path.appending("model.safetensors"))
    return path
  }

  static func all(_ shape: Shape, path: FilePath) throws -> [Comparison] {
    let model = try MoEDecoder.open(path)
    return [
      Comparison(
        title: "prompt of 512 tokens, \(shape.name)", peerName: "prefill", iterations: 3,
        run: { iterations in prefill(model, iterations: iterations) }, bar: .ratio(shape.prefillBar)
      ),
      Comparison(
        title: "one more token, \(shape.name)", peerName: "decode", iterations: 32,
        run: { iterations in decode(model, iterations: iterations) }, bar: .ratio(shape.decodeBar)),
      Comparison(
        title: "one more token for each of 8 texts, \(shape.name)", peerName: "decode_eight",
        iterations: 32, run: { iterations in decode(model, texts: 8, iterations: iterations) },
        bar: .ratio(0.5)),
    ]
  }

  /// Texts that begin differently, so that they need other experts.
  private static func prompt(_ count: Int, text: Int = 0) -> [Int] {
    (0..<count).map { ($0 + 1_000 * text) * 7919 % 4096 }
  }

  static func prefill(_ model: MoEDecoder, iterations: Int) -> Measurement {
    timed(iterations: iterations) {
      let part = SequencePart(tokens: prompt(512), cache: model.makeCache())
      precondition(model.read([part], as: .prompt).logits.count > 0)
    }
  }

  static func decode(
    _ model: MoEDecoder, texts: Int = 1, iterations: Int
  ) -> Measurement {
    let caches = (0..<texts).map { _ in model.makeCache() }
    func next(_ tokens: [[Int]], _ arithmetic: Arithmetic) -> [[Int]] {
      let parts = zip(tokens, caches).map { SequencePart(tokens: $0, cache: $1) }
      return model.read(parts, as: arithmetic).logits.argmax(axis: 1).array(of: Int.self).map {
        [$0]
      }
    }
    var tokens = next((0..<texts).map { prompt(32, text: $0) }, .prompt)
    return timed(iterations: iterations) { tokens = next(tokens, .decode) }
  }
}
