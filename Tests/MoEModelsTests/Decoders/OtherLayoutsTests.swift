import Foundation
import MoECore
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@testable import MoEModels

@Suite("Other layouts of a decoder's checkpoint")
struct OtherLayoutsTests {
  private static var tokens: Tensor { Tensor([1, 2, 3, 4], shape: [1, 4]) }

  private func tensors(_ source: FilePath) throws -> [String: Tensor] {
    let file = try SafetensorsFile(source.appending("model.safetensors"))
    return Dictionary(
      uniqueKeysWithValues: try file.header.entries.map {
        ($0.name, try file.tensor(named: $0.name))
      })
  }

  /// A folder with other tensors and the configuration of a fixture.
  private func folder(_ tensors: [String: Tensor], _ source: FilePath) throws -> TemporaryFolder {
    let folder = try TemporaryFolder()
    try SafetensorsFile.write(tensors, to: folder.file("model.safetensors"))
    try FileManager.default.copyItem(
      atPath: source.appending("config.json").string, toPath: folder.file("config.json").string)
    return folder
  }

  private func expectSame(_ folder: TemporaryFolder, _ source: FilePath) throws {
    let expected = try MoEDecoder.open(source)(Self.tokens).logits
    expectClose(try MoEDecoder.open(folder.path)(Self.tokens).logits, expected, .exact)
    let summary = try ModelSummary(folder.path)
    #expect(summary.warnings.allSatisfy { !$0.contains("not part of the model") })
    #expect(try summary.parameters == ModelSummary(source).parameters)
  }

  /// Mixtral's tensors as transformers 5 writes them with `save_original_format=False`.
  private func fused(_ original: [String: Tensor], experts: Int) -> [String: Tensor] {
    var result: [String: Tensor] = [:]
    for (name, tensor) in original where !name.contains(".experts.") {
      result[name.replacing("block_sparse_moe", with: "mlp")] = tensor
    }
    for layer in 0..<3 {
      let old = "model.layers.\(layer).block_sparse_moe.experts"
      func all(_ name: String) -> [Tensor] {
        (0..<experts).compactMap { original["\(old).\($0).\(name).weight"] }
      }
      let new = "model.layers.\(layer).mlp.experts"
      result["\(new).gate_up_proj"] = Tensor.stacked(
        zip(all("w1"), all("w3")).map { Tensor.concatenated([$0, $1], axis: 0) })
      result["\(new).down_proj"] = Tensor.stacked(all("w2"))
    }
    return result
  }

  @Test("Mixtral's stacked experts give the same model, with and without the prefix")
  func fusedMixtral() throws {
    let source = Fixtures.path("decoders").appending("mixtral-window")
    let stacked = fused(try tensors(source), experts: 4)
    try expectSame(try folder(stacked, source), source)
    let bare = Dictionary(
      uniqueKeysWithValues: stacked.map { ($0.key.replacing("model.", with: ""), $0.value) })
    try expectSame(try folder(bare, source), source)
  }

  @Test(
    "names without the base model's prefix give the same model",
    arguments: ["mixtral", "llama-biased", "qwen2_moe", "deepseek"])
  func withoutPrefix(name: String) throws {
    let source = Fixtures.path("decoders").appending(name)
    let bare = try tensors(source).map { name, tensor in
      (name.hasPrefix("model.") ? String(name.dropFirst("model.".count)) : name, tensor)
    }
    try expectSame(try folder(Dictionary(uniqueKeysWithValues: bare), source), source)
  }

  @Test("a base model without the head that it needs is refused by the head's name")
  func withoutHead() throws {
    let source = Fixtures.path("decoders").appending("llama")
    var bare = try tensors(source)
    bare["lm_head.weight"] = nil
    let incomplete = try folder(bare, source)
    #expect(
      throws: ModelError.missingWeight(path: incomplete.path, name: "lm_head.weight")
    ) { try MoEDecoder.open(incomplete.path) }
  }

  @Test("of a single file beside an index the file is read, with a warning")
  func indexBesideFile() throws {
    let source = Fixtures.path("decoders").appending("llama-biased")
    let copy = try folder(try tensors(source), source)
    let shards = copy.file("shards")
    try SafetensorsCheckpoint(source).rewrite(
      to: shards, as: .init(floatingPointType: .bf16, shardLimit: ByteCount(20_000)))
    for name in try FileManager.default.contentsOfDirectory(atPath: shards.string) {
      try FileManager.default.moveItem(
        atPath: shards.appending(name).string, toPath: copy.file(name).string)
    }
    #expect(copy.file("model.safetensors.index.json").exists)
    try expectSame(copy, source)
    #expect(try SafetensorsCheckpoint(copy.path).shards.count == 1)
    let warnings = try ModelSummary(copy.path).warnings
    #expect(warnings.contains { $0.contains("model.safetensors.index.json is not read") })
    #expect(try ModelSummary(source).warnings.allSatisfy { !$0.contains("is not read") })
  }
}
