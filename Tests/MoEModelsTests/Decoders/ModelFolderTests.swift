import Foundation
import MoETokenizers
import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@Suite("Model folders")
struct ModelFolderTests {
  private let folder: TemporaryFolder

  init() throws {
    folder = try TemporaryFolder()
    for name in ["config.json", "model.safetensors"] {
      let source = Fixtures.path("decoders").appending("olmoe").appending(name)
      try FileManager.default.copyItem(atPath: source.string, toPath: folder.file(name).string)
    }
  }

  /// Changes keys of the configuration; `nil` removes one.
  private func change(_ changes: [String: Any?]) throws {
    let url = URL(filePath: folder.file("config.json").string)
    var json = try #require(
      JSONSerialization.jsonObject(with: Data(contentsOf: url)) as? [String: Any])
    for (key, value) in changes { json[key] = value }
    try JSONSerialization.data(withJSONObject: json).write(to: url)
  }

  private func tensors() throws -> [String: Tensor] {
    let file = try SafetensorsFile(folder.file("model.safetensors"))
    return Dictionary(
      uniqueKeysWithValues: try file.header.entries.map {
        ($0.name, try file.tensor(named: $0.name))
      })
  }

  private func logits() throws -> Tensor {
    try MoEDecoder.open(folder.path)(Tensor([1, 2, 3, 4], shape: [1, 4])).logits
  }

  @Test("in the spelling of transformers 4 give the same model")
  func olderSpelling() throws {
    let expected = try logits()
    try change(["rope_parameters": nil, "rope_theta": 10000.0, "rope_scaling": NSNull()])
    expectClose(try logits(), expected, .exact)
  }

  /// As in transformers, the settings for generation take precedence over the configuration.
  @Test(
    "end texts where their settings for generation say, or else their configuration",
    arguments: [
      (nil, [7]), (#"{"eos_token_id": [5, 9]}"#, [5, 9]), (#"{"eos_token_id": 3}"#, [3]),
      (#"{"temperature": 0.6}"#, [7]), (#"{"eos_token_id": null}"#, [7]),
      ("\u{FEFF}{\"eos_token_id\": [5]}", [5]),
      // Below 0 there is no token, so nothing ends a text.
      (#"{"eos_token_id": [5, -1]}"#, [5]), (#"{"eos_token_id": -1}"#, []),
    ] as [(String?, [Int])])
  func endTokens(_ settings: String?, _ expected: [Int]) throws {
    try change(["eos_token_id": 7])
    if let settings {
      _ = try folder.write(Array(settings.utf8), to: "generation_config.json")
    }
    #expect(try StoredModel(folder.path).configuration.endTokens == expected)
    let model = try MoEDecoder.open(folder.path)
    var free = model.configuration
    free.endTokens = []
    #expect(model.configuration.endTokens == expected && free.endTokens.isEmpty)
  }

  @Test("with broken settings for generation are refused by the file and the key")
  func brokenSettings() throws {
    for text in ["{", #"{"eos_token_id": "</s>"}"#, #"{"eos_token_id": [1, 0.5]}"#] {
      _ = try folder.write(Array(text.utf8), to: "generation_config.json")
      let error = #expect(throws: ConfigurationError.self) { try StoredModel(folder.path) }
      #expect("\(error, default: "")".contains("generation_config.json"))
    }
  }

  @Test("may begin with a byte order mark")
  func byteOrderMark() throws {
    let expected = try logits()
    let config = try readBytes(folder.file("config.json"))
    _ = try folder.write([0xEF, 0xBB, 0xBF] + config, to: "config.json")
    expectClose(try logits(), expected, .exact)
    let tokenizer = try readBytes(Fixtures.path("tokenizers/gpt2.json"))
    let marked = try folder.write([0xEF, 0xBB, 0xBF] + tokenizer, to: "tokenizer.json")
    #expect(try Tokenizer(marked).encode("a") == [65])
  }

  @Test("with stacked experts give the same model")
  func stackedExperts() throws {
    let expected = try logits()
    var tensors = try tensors()
    for layer in 0..<3 {
      let prefix = "model.layers.\(layer).mlp.experts"
      func take(_ expert: Int, _ name: String) throws -> Tensor {
        let taken = tensors.removeValue(forKey: "\(prefix).\(expert).\(name).weight")
        return try #require(taken)
      }
      let both = try (0..<8).map {
        Tensor.concatenated([try take($0, "gate_proj"), try take($0, "up_proj")], axis: 0)
      }
      let down = try (0..<8).map { try take($0, "down_proj") }
      tensors["\(prefix).gate_up_proj"] = Tensor.stacked(both)
      tensors["\(prefix).down_proj"] = Tensor.stacked(down)
    }
    let copy = try TemporaryFolder()
    try SafetensorsFile.write(tensors, to: copy.file("model.safetensors"))
    try FileManager.default.copyItem(
      atPath: folder.file("config.json").string, toPath: copy.file("config.json").string)
    let model = try MoEDecoder.open(copy.path)
    expectClose(model(Tensor([1, 2, 3, 4], shape: [1, 4])).logits, expected, .exact)
  }

  @Test("in shards, and in another type, give the same model")
  func shards() throws {
    let expected = try logits()
    let source = try SafetensorsCheckpoint(folder.path)
    let target = folder.file("sharded")
    try source.rewrite(
      to: target, as: .init(floatingPointType: .bf16, shardLimit: ByteCount(20_000)))
    try FileManager.default.copyItem(
      atPath: folder.file("config.json").string, toPath: target.appending("config.json").string)
    let model = try MoEDecoder.open(target, dtype: .f32)
    let found = model(Tensor([1, 2, 3, 4], shape: [1, 4])).logits
    #expect(
      (found - expected).norm().item(as: Float.self) < 0.1 * expected.norm().item(as: Float.self))
  }

  @Test(
    "with a wrong configuration are refused, naming the key",
    arguments: [
      ("vocab_size", -5), ("vocab_size", "many"), ("hidden_size", 0),
      ("hidden_size", 33), ("num_attention_heads", 5), ("num_key_value_heads", 3),
      ("num_hidden_layers", 1e9), ("num_hidden_layers", 2.5), ("num_experts_per_tok", 9),
      ("hidden_act", "sine"), ("hidden_act", 7),
      ("rms_norm_eps", 0), ("norm_topk_prob", "yes"),
      ("clip_qkv", -1), ("tie_word_embeddings", 1),
      ("rope_parameters", "none"),
    ] as [(String, (any Sendable)?)])
  func wrongKey(key: String, value: (any Sendable)?) throws {
    try change([key: value])
    let error = #expect(throws: ConfigurationError.self) { try MoEDecoder.open(folder.path) }
    let text = "\(error, default: "")"
    // Some keys only show in what depends on them.
    let names = [key, "num_attention_heads", "rope_theta", "num_local_experts", "head_dim"]
    #expect(names.contains { text.contains($0) }, "\(text)")
  }

  @Test("with an unknown scaling of positions are rejected")
  func unknownScaling() throws {
    try change(["rope_parameters": ["rope_type": "dynamic", "rope_theta": 1e4, "factor": 2]])
    #expect(throws: ConfigurationError.self) { try MoEDecoder.open(folder.path) }
  }

  @Test(
    "of another architecture are refused with the names of those supported",
    arguments: ["gpt2", "bert"])
  func otherFamily(name: String) throws {
    try change(["model_type": name])
    let error = #expect(throws: ModelError.self) { try MoEDecoder.open(folder.path) }
    #expect("\(error, default: "")".contains("olmoe") && "\(error, default: "")".contains(name))
    try change(["model_type": nil])
    #expect(
      throws: ConfigurationError.missingKey(path: folder.file("config.json"), key: "model_type")
    ) {
      try MoEDecoder.open(folder.path)
    }
  }

  @Test("with missing, misshapen or mistyped weights are refused, naming the weight")
  func wrongWeights() throws {
    let path = folder.file("model.safetensors")
    let name = "model.layers.1.mlp.experts.3.up_proj.weight"
    let good = try tensors()
    for bad in [nil, Tensor.zeros([24, 31]), Tensor.zeros([24, 32], dtype: .i32)] {
      var tensors = good.mapValues { $0.copied() }
      tensors[name] = bad
      try SafetensorsFile.write(tensors, to: path)
      let error = #expect(throws: ModelError.self) { try MoEDecoder.open(folder.path) }
      #expect("\(error, default: "")".contains(name))
    }
  }

  @Test("whose files are missing or broken are refused")
  func brokenFiles() throws {
    _ = try folder.write(Array("{".utf8), to: "config.json")
    #expect(throws: ConfigurationError.self) { try MoEDecoder.open(folder.path) }
    _ = try folder.write(Array("[1]".utf8), to: "config.json")
    #expect(throws: ConfigurationError.self) { try MoEDecoder.open(folder.path) }
    try FileManager.default.removeItem(atPath: folder.file("config.json").string)
    #expect(
      throws: ModelError.noModel(
        path: folder.path,
        problem: "does not contain a model: there is no config.json; found model.safetensors")
    ) { try MoEDecoder.open(folder.path) }
    #expect(throws: FileError.self) { try MoEDecoder.open("/no/such/folder") }
  }
}

@Suite("Switchyard's own models")
struct SwitchyardMoETests {
  /// A new model with the keys of a JSON object besides the necessary ones.
  private func open(_ changes: String) throws -> MoEDecoder {
    let base = #"""
      {"model_type": "switchyard_moe", "vocab_size": 40, "hidden_size": 16, "num_hidden_layers": 2,
       "num_attention_heads": 2, "max_position_embeddings": 32, "rms_norm_eps": 1e-5,
       "rope_theta": 10000, "hidden_act": "silu", "num_experts": 4, "expert_size": 24,
       "router": {"type": "token_choice", "k": 2, "renormalize": true}}
      """#
    func object(_ text: String) throws -> [String: Any] {
      try #require(JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any])
    }
    let json = try object(base).merging(object("{\(changes)}")) { $1 }
    let folder = try TemporaryFolder()
    try JSONSerialization.data(withJSONObject: json)
      .write(to: URL(filePath: folder.file("config.json").string))
    let configuration = try ConfigurationObject(folder.file("config.json"))
    return try MoEDecoder(
      try SwitchyardMoE.configuration(configuration), names: SwitchyardMoE.names,
      weights: RandomWeights(RandomSource(seed: 1)))
  }

  @Test(
    "learn a repeating text, whatever their router and experts",
    arguments: [
      "",
      #""router": {"type": "expert_choice", "capacity_factor": 1.5}"#,
      #""router": {"type": "noisy_top_k", "k": 2}"#,
      #""router": {"type": "uniform_random", "k": 1}"#,
      #"""
      "router": {"type": "token_choice", "k": 2, "scoring": "sigmoid", "renormalize": true, "groups": 2,
       "kept_groups": 1, "group_score": "twoLargest", "selection_bias": true, "scale": 2}
      """#,
      #"""
      "normalization": "layer", "expert_form": "plain", "hidden_act": "gelu", "dense_layers": [0],
      "dense_size": 32, "tie_word_embeddings": true, "qk_norm": "per_head"
      """#,
      #""shared_size": 8, "shared_gate": true, "sliding_window": 5, "qk_norm": "whole""#,
    ])
  func learns(changes: String) throws {
    let model = try open(changes)
    let tokens = Tensor((0..<24).map { $0 % 6 }, shape: [1, 24])
    let source = RandomSource(seed: 2)
    func loss() -> Tensor {
      model(tokens, random: source).logits[0][0..<23].crossEntropy(targets: tokens[0][1..<24])
    }
    let first = loss().item(as: Float.self)
    // A selection bias is a state, which gradients do not reach.
    let weights = model.parameters.filter { !$0.name.hasSuffix("bias") || $0.name.contains("norm") }
    for _ in 0..<60 {
      let result = try valueAndGradients(of: loss, for: weights.map(\.parameter))
      for (weight, gradient) in zip(weights, result.gradients) {
        weight.parameter.assign(weight.parameter.value - gradient * 0.5)
      }
    }
    #expect(first > 3 && loss().item(as: Float.self) < 0.6 * first)
  }

  @Test(
    "reject unknown keys and name the nearest",
    arguments: [
      (#""num_expert": 4"#, "num_experts"),
      (#""router": {"type": "token_choice", "k": 2, "renormalise": true}"#, "router.renormalize"),
      (#""router": {"type": "tokens"}"#, "expert_choice"),
      (#""router": {"type": "noisy_top_k", "k": 5}"#, "1…4"),
      (#""router": null"#, "router"),
      (#""dense_layers": [2], "dense_size": 8"#, "dense_layers"),
      (#""dense_layers": [1]"#, "dense_size"),
      (#""router": {"type": "expert_choice", "capacity_factor": 9}"#, "capacity factor"),
    ])
  func refuses(changes: String, hint: String) throws {
    let error = #expect(throws: ConfigurationError.self) { try open(changes) }
    let text = "\(error, default: "")"
    #expect(text.contains(hint), "\(text)")
  }
}
