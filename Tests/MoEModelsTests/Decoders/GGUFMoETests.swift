import MoECore
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@testable import MoEModels

/// Fixtures: `Tests/Fixtures/make/gguf_moe.py`.
@Suite("Mixtures of experts in GGUF files")
struct GGUFMoETests {
  private static let folder = Fixtures.path("gguf")
  private static let families = [
    "olmoe": "olmoe", "qwen2moe": "qwen2_moe", "qwen3moe": "qwen3_moe", "mixtral": "mixtral",
    "deepseek": "deepseek",
  ]
  private static let files = families.keys.sorted().flatMap { [$0, $0 + "-quantized"] }

  private let expected: SafetensorsFile

  init() throws {
    expected = try SafetensorsFile(Self.folder.appending("moe.safetensors"))
  }

  private func path(_ name: String) -> FilePath { Self.folder.appending(name + ".gguf") }

  @Test("give transformers' logits", arguments: files)
  func logits(name: String) throws {
    let model = try StoredModel(path(name)).unpacked()
    let found = model(try expected.tensor(named: "tokens")).logits
    expectClose(found, try expected.tensor(named: name), .logits)
  }

  @Test("are described without reading their weights", arguments: files)
  func summary(name: String) throws {
    let summary = try ModelSummary(path(name))
    let decoder = try #require(summary.decoder)
    let isQuantized = name.hasSuffix("-quantized")
    let architecture = isQuantized ? String(name.dropLast("-quantized".count)) : name
    #expect(summary.family == Self.families[architecture])
    #expect(summary.warnings.allSatisfy { $0.hasPrefix("no tokenizer") })
    #expect(decoder.experts == 4 && decoder.sparseLayers == (architecture == "deepseek" ? 1 : 2))
    let types = Set(summary.bytesByType.keys)
    #expect(types == (isQuantized ? ["f32", "f16", "bf16", "q8_0", "q4_0"] : ["f32"]))
    let model = try MoEDecoder.open(path(name))
    #expect(summary.parameters == model.weightCount)
    #expect(model.packedWeights.isEmpty == !isQuantized)
    let file = try GGUFFile(path(name))
    #expect(summary.bytes == file.tensors.reduce(0) { $0 + $1.range.count })
  }

  @Test("share plain experts with the mapped file and decode quantized ones alone")
  func experts() throws {
    for (file, name) in [("qwen3moe", "ffn_gate_exps"), ("qwen3moe-quantized", "ffn_gate_exps")] {
      let stored = try GGUFFile(path(file))
      let whole = try stored.elements(of: "blk.1.\(name).weight")
      let model = try StoredModel(path(file))
      for expert in 0..<4 {
        let weight = try model.tensor(
          named: "model.layers.1.mlp.experts.\(expert).gate_proj.weight")
        expectClose(weight, whole[expert], .exact)
      }
    }
  }

  /// A fixture in which parts are replaced by others of the same length.
  private func changed(
    _ name: String, _ old: [UInt8], _ new: [UInt8], in folder: TemporaryFolder
  ) throws -> FilePath {
    var bytes = try readBytes(path(name))
    #expect(old.count == new.count)
    bytes.replaceSubrange(try #require(bytes.firstRange(of: old)), with: new)
    return try folder.write(bytes, to: "changed.gguf")
  }

  @Test("whose keys contradict what is supported are refused by the key")
  func wrongKeys() throws {
    typealias B = GGUFBytes
    let folder = try TemporaryFolder()
    for (name, key, old, new) in [
      ("olmoe", "olmoe.expert_count", 4, 0), ("olmoe", "olmoe.expert_used_count", 2, 5),
      ("qwen2moe", "qwen2moe.expert_used_count", 2, 0),
      ("qwen3moe", "qwen3moe.attention.value_length", 16, 8),
      ("mixtral", "llama.rope.dimension_count", 8, 4),
      ("deepseek", "deepseek.expert_shared_count", 2, 5_000),
      ("deepseek", "deepseek.leading_dense_block_count", 1, 4_097),
    ] as [(String, String, UInt32, UInt32)] {
      let path = try changed(name, B.key(key, old), B.key(key, new), in: folder)
      let error = #expect(throws: GGUFError.self, "\(key)") { try StoredModel(path) }
      #expect("\(error, default: "")".contains(key), "\(key)")
    }
    for (name, key, other) in [
      ("qwen2moe", "qwen2moe.expert_feed_forward_length", "qwen2moe.expert_feed_f0rward_length"),
      ("olmoe", "olmoe.attention.layer_norm_rms_epsilon", "olmoe.attention.layer_norm_rms_epsil0n"),
      ("deepseek", "deepseek.expert_weights_scale", "deepseek.expert_weights_norms"),
      ("mixtral", "llama.expert_used_count", "llama.expert_used_c0unt"),
    ] {
      let path = try changed(name, B.text(key), B.text(other), in: folder)
      let error = #expect(throws: GGUFError.self, "\(key)") { try StoredModel(path) }
      let text = "\(error, default: "")"
      #expect(text.contains(key) || text.contains(other), "\(text)")
    }
    let scale = "deepseek.expert_weights_scale"
    let scaled = try changed(
      "deepseek", B.key(scale, Float(1)), B.key(scale, Float(2.5)), in: folder)
    let error = #expect(throws: GGUFError.self) { try StoredModel(scaled) }
    #expect("\(error, default: "")".contains(scale))
  }

  @Test("whose tensors do not fit are refused by the tensor")
  func wrongTensors() throws {
    typealias B = GGUFBytes
    let folder = try TemporaryFolder()
    // Names that are unknown, or that the model does not use.
    for (name, old, new) in [
      ("olmoe", "blk.0.ffn_gate_exps.weight", "blk.0.ffn_gate_expz.weight"),
      ("olmoe", "blk.1.attn_q_norm.weight", "blk.7.attn_q_norm.weight"),
      ("qwen2moe", "blk.0.ffn_gate_inp_shexp.weight", "blk.0.ffn_gate_inp_sh3xp.weight"),
      ("qwen2moe", "blk.0.attn_k.bias", "blk.0.attn_x.bias"),
      ("deepseek", "blk.0.ffn_gate.weight", "blk.1.ffn_gate.weight"),
      ("deepseek", "output.weight", "0utput.weight"),
      ("olmoe", "output.weight", "0utput.weight"),
    ] {
      let path = try changed(name, B.text(old), B.text(new), in: folder)
      #expect(throws: (any Error).self, "\(old)") { try StoredModel(path) }
    }
    let count = "olmoe.expert_count"
    let more = try changed("olmoe", B.key(count, UInt32(4)), B.key(count, UInt32(5)), in: folder)
    let error = #expect(throws: GGUFError.self) { try StoredModel(more) }
    #expect("\(error, default: "")".contains("_exps.weight"))
  }

  @Test("of an unknown architecture are refused with the known ones")
  func unknownArchitecture() throws {
    typealias B = GGUFBytes
    let folder = try TemporaryFolder()
    let path = try changed("olmoe", B.text("olmoe"), B.text("gemma"), in: folder)
    let error = #expect(throws: GGUFError.self) { try StoredModel(path) }
    for name in ["gemma", "deepseek, llama, olmoe, qwen2moe, qwen3moe"] {
      #expect("\(error, default: "")".contains(name))
    }
  }
}
