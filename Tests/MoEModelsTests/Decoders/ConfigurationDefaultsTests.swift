import MoECore
import MoEModels
import MoERouting
import SystemPackage
import Testing

/// Expected values: the configuration classes of transformers 5.24 without arguments; DeepSeek's are those of the
/// published `configuration_deepseek.py`.
@Suite("Keys that a configuration leaves out")
struct ConfigurationDefaultsTests {
  /// What the tests compare of a configuration.
  struct Values: Equatable, Sendable {
    var vocabulary: Int
    var hidden: Int
    var layers: Int
    var heads: Int
    var keyHeads: Int
    var headSize: Int
    var context: Int
    var epsilon: Double
    var base: Double
    var experts = 0
    var expertInner = 0
    var k = 0.0
    var ends: [Int] = []

    static func of(_ c: DecoderConfiguration) -> Values {
      Values(
        vocabulary: c.vocabularySize, hidden: c.hiddenSize, layers: c.layers.count, heads: c.heads,
        keyHeads: c.keyHeads, headSize: c.headSize, context: c.contextLength, epsilon: c.epsilon,
        base: c.rotaryBase, experts: c.experts, expertInner: c.expertInner, k: c.expertsPerToken,
        ends: c.endTokens)
    }
  }

  private static func read(
    _ family: any DecoderFamily.Type, _ keys: JSONObject = [:]
  ) throws -> DecoderConfiguration {
    try family.configuration(ConfigurationObject(keys, path: "config.json"))
  }

  @Test("have transformers' values")
  func defaults() throws {
    #expect(
      Values.of(try Self.read(Llama.self))
        == Values(
          vocabulary: 32_000, hidden: 4_096, layers: 32, heads: 32, keyHeads: 32, headSize: 128,
          context: 2_048, epsilon: 1e-6, base: 10_000, ends: [2]))
    #expect(
      Values.of(try Self.read(Mixtral.self))
        == Values(
          vocabulary: 32_000, hidden: 4_096, layers: 32, heads: 32, keyHeads: 8, headSize: 128,
          context: 131_072, epsilon: 1e-5, base: 1_000_000, experts: 8, expertInner: 14_336, k: 2,
          ends: [2]))
    #expect(
      Values.of(try Self.read(OLMoE.self))
        == Values(
          vocabulary: 50_304, hidden: 2_048, layers: 16, heads: 16, keyHeads: 16, headSize: 128,
          context: 4_096, epsilon: 1e-5, base: 10_000, experts: 64, expertInner: 2_048, k: 8,
          ends: [50_279]))
    #expect(
      Values.of(try Self.read(Qwen2MoE.self))
        == Values(
          vocabulary: 151_936, hidden: 2_048, layers: 24, heads: 16, keyHeads: 16, headSize: 128,
          context: 32_768, epsilon: 1e-6, base: 10_000, experts: 60, expertInner: 1_408, k: 4))
    #expect(
      Values.of(try Self.read(Qwen3MoE.self))
        == Values(
          vocabulary: 151_936, hidden: 2_048, layers: 24, heads: 32, keyHeads: 4, headSize: 64,
          context: 32_768, epsilon: 1e-6, base: 10_000, experts: 128, expertInner: 768, k: 8))
    #expect(
      Values.of(try Self.read(DeepSeekMoE.self))
        == Values(
          vocabulary: 102_400, hidden: 4_096, layers: 30, heads: 32, keyHeads: 32, headSize: 128,
          context: 2_048, epsilon: 1e-6, base: 10_000, ends: [100_001]))
  }

  @Test("have the other properties of their family")
  func otherDefaults() throws {
    let families: [any DecoderFamily.Type] = [
      Llama.self, Mixtral.self, OLMoE.self, Qwen2MoE.self, Qwen3MoE.self, DeepSeekMoE.self,
    ]
    for family in families {
      let found = try Self.read(family)
      #expect(found.activation == .silu && !found.tiesEmbeddings && found.rotaryScaling == .none)
      #expect(found.windows.allSatisfy { $0 == nil })
      guard let router = found.router as? TokenChoiceRouter else { continue }
      #expect(router.renormalizes == (found.family == "mixtral"), "\(found.family)")
    }
    let qwen = try Self.read(Qwen2MoE.self)
    #expect(qwen.hasAttentionBias && qwen.shared?.inner == 5_632)
    let limited = try Self.read(Qwen2MoE.self, ["use_sliding_window": true])
    #expect(limited.windows.prefix(2) == [4_096, nil])
  }

  @Test("differ from keys that are null, and count in every spelling")
  func given() throws {
    #expect(try Self.read(Mixtral.self, ["num_key_value_heads": .null]).keyHeads == 32)
    for family in [Mixtral.self, OLMoE.self, Qwen2MoE.self, Qwen3MoE.self]
      as [any DecoderFamily.Type]
    {
      for key in ["num_experts", "num_local_experts"] {
        #expect(try Self.read(family, [key: 17]).experts == 17, "\(family) \(key)")
      }
    }
    #expect(try Self.read(Llama.self, ["eos_token_id": .null]).endTokens == [])
    let rotary: JSONObject = ["rope_theta": 123]
    #expect(try Self.read(Mixtral.self, ["rope_parameters": .object(rotary)]).rotaryBase == 123)
  }

  @Test("of text encoders have transformers' values")
  func encoders() throws {
    func read(_ type: String) throws -> EncoderConfiguration {
      try EncoderConfiguration(
        ConfigurationObject(["model_type": .string(type)], path: "config.json"))
    }
    for (type, layers) in [("bert", 12), ("distilbert", 6)] {
      let found = try read(type)
      #expect(found.vocabularySize == 30_522 && found.hiddenSize == 768 && found.heads == 12)
      #expect(found.innerSize == 3_072 && found.contextLength == 512 && found.layers == layers)
      #expect(found.activation == .gelu)
    }
  }

  @Test("DeepSeek divides weights by their sum only where a token has several experts")
  func deepSeekGate() throws {
    for (k, renormalizes) in [(1, false), (2, true)] {
      let found = try Self.read(
        DeepSeekMoE.self,
        ["n_routed_experts": 4, "num_experts_per_tok": .number(Double(k)), "norm_topk_prob": true])
      let router = try #require(found.router as? TokenChoiceRouter)
      #expect(router.renormalizes == renormalizes)
    }
    #expect(throws: ConfigurationError.self) {
      try Self.read(DeepSeekMoE.self, ["n_routed_experts": 4])
    }
    #expect(try Self.read(DeepSeekMoE.self).sparseLayers.isEmpty)
  }
}
