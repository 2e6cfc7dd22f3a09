import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

/// Fixtures: `Tests/Fixtures/make/gguf_files.py`, whose model has positions scaled by 2.
@Suite("Positions of models in GGUF files")
struct GGUFPositionTests {
  private let path = Fixtures.path("gguf").appending("llama.gguf")
  private let expected: SafetensorsFile

  init() throws {
    expected = try SafetensorsFile(Fixtures.path("gguf").appending("expected.safetensors"))
  }

  /// The fixture with entries of its metadata replaced by others of the same total length.
  private func changed(
    _ replacements: [(old: [UInt8], new: [UInt8])], in folder: TemporaryFolder
  ) throws -> FilePath {
    var bytes = try readBytes(path)
    for (old, new) in replacements {
      let place = try #require(bytes.firstRange(of: old))
      bytes.replaceSubrange(place, with: new)
    }
    #expect(try bytes.count == readBytes(path).count)
    return try folder.write(bytes, to: "changed.gguf")
  }

  @Test(
    "scale positions by the factor, wherever a file has it, and as llama.cpp does without a type")
  func scaling() throws {
    typealias B = GGUFBytes
    let folder = try TemporaryFolder()
    let tokens = try expected.tensor(named: "tokens")
    let logits = try MoEDecoder.open(path)(tokens).logits
    let prefix = "llama.rope."
    let type = B.key(prefix + "scaling.type", "linear")
    let factor = B.key(prefix + "scaling.factor", Float(2))
    func filler(_ length: Int) -> [UInt8] {
      B.key("x.y", String(repeating: "-", count: length - 23))
    }
    let untyped = try changed([(type, filler(type.count))], in: folder)
    expectClose(try MoEDecoder.open(untyped)(tokens).logits, logits, .exact)
    let old = B.key(prefix + "scale_linear", Float(2))
    let older = try changed(
      [(factor, old), (type, filler(type.count + factor.count - old.count))], in: folder)
    expectClose(try MoEDecoder.open(older)(tokens).logits, logits, .exact)
    let zero = B.key(prefix + "scaling.factor", Float(0))
    let unscaled = try MoEDecoder.open(try changed([(factor, zero)], in: folder))
    #expect(unscaled.configuration.rotaryScaling == .none)
    #expect((unscaled(tokens).logits .!= logits).any())
  }

  @Test("with an unknown key about positions are refused by its name")
  func unknownPositionKey() throws {
    typealias B = GGUFBytes
    let folder = try TemporaryFolder()
    let factor = B.key("llama.rope.scaling.factor", Float(2))
    let path = try changed(
      [(factor, B.key("llama.rope.scaling.fact0r", Float(2)))], in: folder)
    let error = #expect(throws: GGUFError.self) { try MoEDecoder.open(path) }
    #expect("\(error, default: "")".contains("llama.rope.scaling.fact0r"))
  }
}
