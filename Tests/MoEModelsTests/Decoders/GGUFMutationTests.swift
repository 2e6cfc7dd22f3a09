import MoECore
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@testable import MoEModels

@Suite("Mixtures of experts in changed GGUF files")
struct GGUFMutationTests {
  /// A model of one layer with two experts of type Q4_0.
  private static let parts: GGUFBytes = {
    typealias B = GGUFBytes
    var parts = B()
    parts.keys = [B.key("general.architecture", "qwen2moe")]
    for (key, value) in [
      ("block_count", 1), ("context_length", 16), ("embedding_length", 32),
      ("feed_forward_length", 32), ("attention.head_count", 2), ("attention.head_count_kv", 1),
      ("expert_count", 2), ("expert_used_count", 1), ("expert_feed_forward_length", 32),
      ("expert_shared_feed_forward_length", 32),
    ] as [(String, UInt32)] {
      parts.keys.append(B.key("qwen2moe." + key, value))
    }
    parts.keys.append(B.key("qwen2moe.attention.layer_norm_rms_epsilon", Float(1e-5)))
    parts.keys.append(B.key("tokenizer.ggml.model", "none"))
    func add(_ name: String, _ sizes: [UInt64], type: UInt32 = 0) {
      let elements = Int(sizes.reduce(1, *))
      parts.tensors.append(B.tensor(name, sizes, type: type, at: UInt64(parts.data.count)))
      let bytes = type == 0 ? elements * 4 : elements / 32 * 18
      parts.data += Array(repeating: 0, count: (bytes + 31) / 32 * 32)
    }
    add("token_embd.weight", [32, 8])
    add("output.weight", [32, 8])
    add("output_norm.weight", [32])
    for (name, sizes) in [
      ("attn_norm", [32]), ("ffn_norm", [32]), ("attn_q", [32, 32]), ("attn_k", [32, 16]),
      ("attn_v", [32, 16]), ("attn_output", [32, 32]), ("ffn_gate_inp", [32, 2]),
      ("ffn_gate_inp_shexp", [32]),
    ] as [(String, [UInt64])] {
      add("blk.0.\(name).weight", sizes)
    }
    for name in ["gate", "up", "down"] {
      add("blk.0.ffn_\(name)_exps.weight", [32, 32, 2], type: 2)
      add("blk.0.ffn_\(name)_shexp.weight", [32, 32], type: 2)
    }
    return parts
  }()

  @Test("with further keys that change answers are refused by the key")
  func furtherKeys() throws {
    typealias B = GGUFBytes
    func open(_ name: String, _ type: UInt32, _ value: [UInt8]) throws {
      var parts = Self.parts
      parts.keys.append(B.key("qwen2moe." + name, type, value))
      let folder = try TemporaryFolder()
      try run(try folder.write(parts.bytes, to: "further.gguf"))
    }
    func number(_ value: UInt32) -> [UInt8] { B.number(value) }
    func float(_ value: Float) -> [UInt8] { B.number(value.bitPattern) }
    for (name, type, wrong, right) in [
      ("expert_weights_norm", 7, [1], [0]), ("attention.causal", 7, [0], [1]),
      ("expert_weights_scale", 6, float(2.5), float(1)),
      ("expert_gating_func", 4, number(2), number(1)),
      ("expert_group_count", 4, number(4), number(1)),
      ("expert_group_used_count", 4, number(2), number(1)),
      ("attention.sliding_window", 4, number(8), number(16)),
      ("expert_shared_count", 4, number(2), number(1)),
      ("rope.scaling.type", 8, B.text("yarn"), B.text("none")),
      ("rope.dimension_count", 4, number(8), number(16)),
      ("attention.clamp_kqv", 6, float(8), nil), ("logit_scale", 6, float(1), nil),
      ("vocab_size", 4, number(1 << 20), number(8)), ("rope.freq_base", 6, float(-1), float(1e6)),
    ] as [(String, UInt32, [UInt8]?, [UInt8]?)] {
      if let wrong {
        let error = #expect(throws: GGUFError.self, "\(name)") { try open(name, type, wrong) }
        #expect("\(error, default: "")".contains("qwen2moe." + name))
      }
      if let right { try open(name, type, right) }
    }
  }

  @Test("with something else than a whole model are refused by the key")
  func otherContents() throws {
    typealias B = GGUFBytes
    let folder = try TemporaryFolder()
    for (key, wrong, right) in [
      (
        "general.type", B.key("general.type", "imatrix"), B.key("general.type", "model")
      ),
      ("split.count", B.key("split.count", 2, [3, 0]), B.key("split.count", 2, [1, 0])),
    ] {
      var parts = Self.parts
      parts.keys.append(wrong)
      let path = try folder.write(parts.bytes, to: "other.gguf")
      let error = #expect(throws: GGUFError.self) { try run(path) }
      #expect("\(error, default: "")".contains(key))
      parts.keys[parts.keys.count - 1] = right
      try run(try folder.write(parts.bytes, to: "whole.gguf"))
    }
  }

  @Test("without the width of experts divide that of a dense network, as llama.cpp does")
  func expertWidth() throws {
    let folder = try TemporaryFolder()
    var parts = Self.parts
    let key = GGUFBytes.key("qwen2moe.expert_feed_forward_length", UInt32(32))
    parts.keys.removeAll { $0 == key }
    #expect(parts.keys.count == Self.parts.keys.count - 1)
    try run(try folder.write(parts.bytes, to: "narrow.gguf"))
  }

  @Test("open or are refused")
  func mutants() throws {
    let folder = try TemporaryFolder()
    let good = Self.parts.bytes
    let header = good.count - Self.parts.data.count
    let path = try folder.write(good, to: "mutant.gguf")
    try run(path)
    var generator = SeededGenerator(seed: 11)
    var (opened, refused) = (0, 0)
    for _ in 0..<20_000 {
      // Not a new file each time, which would take most of the time.
      let file = try FileDescriptor.open(path, .writeOnly, options: .truncate)
      try file.closeAfter { _ = try file.writeAll(mutated(good, header, using: &generator)) }
      do {
        try run(path)
        opened += 1
      } catch { refused += 1 }
    }
    #expect(opened > 200 && refused > 10_000, "\(opened) \(refused)")
  }

  /// Opens the file as a model is opened, and computes with it.
  private func run(_ path: FilePath) throws {
    let decoder = try StoredModel(path).decoder()
    let part = SequencePart(tokens: [1, 2, 3], cache: decoder.makeCache())
    let logits = decoder.read([part], as: .prompt, scoring: .all).logits
    #expect(logits.shape == [3, decoder.configuration.vocabularySize])
  }

  /// Changes up to three places of the header, or its length.
  private func mutated(
    _ original: [UInt8], _ header: Int, using generator: inout SeededGenerator
  ) -> [UInt8] {
    var bytes = original
    for _ in 0..<Int.random(in: 1...3, using: &generator) {
      let place = Int.random(in: 0..<header, using: &generator)
      switch Int.random(in: 0..<8, using: &generator) {
      case 0...3: bytes[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
      case 4: bytes[place] = UInt8.random(in: 0...255, using: &generator)
      case 5: bytes[place] = [0, 1, 2, 32, 0x7F, 0xFF].randomElement(using: &generator) ?? 0
      case 6: bytes.remove(at: place)
      default: bytes.insert(bytes[place], at: place)
      }
    }
    return bytes
  }
}
