import MoECore
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

/// Fixtures: `Tests/Fixtures/make/gguf_blocks.py`.
@Suite("Blocks of GGUF files")
struct GGUFBlockTests {
  private let expected: SafetensorsFile

  init() throws {
    expected = try SafetensorsFile(Fixtures.path("gguf").appending("blocks.safetensors"))
  }

  /// The fixture's blocks in a file with one tensor.
  private func file(
    _ type: GGUFTensorType, _ sizes: [UInt64], in folder: TemporaryFolder
  ) throws -> GGUFFile {
    var parts = GGUFBytes()
    parts.tensors = [GGUFBytes.tensor("x", sizes, type: type.rawValue)]
    parts.data = try expected.tensor(named: "\(type)").array(of: UInt8.self)
    return try GGUFFile(try folder.write(parts.bytes, to: "x.gguf"))
  }

  @Test(
    "equal the reference's bit for bit, whole and in parts",
    arguments: GGUFTensorType.allCases.filter { $0.dtype == nil })
  func reference(type: GGUFTensorType) throws {
    let folder = try TemporaryFolder()
    let wanted = try expected.tensor(named: "\(type)/values").array(of: Float.self)
      .map(\.bitPattern)
    let blocks = wanted.count / type.blockSize
    #expect(blocks >= 12 && blocks.isMultiple(of: 4))
    let row = UInt64(type.blockSize)
    let file = try file(type, [row * 2, UInt64(blocks / 4), 2], in: folder)
    let whole = try file.elements(of: "x")
    #expect(whole.shape == [2, blocks / 4, type.blockSize * 2])
    #expect(whole.array(of: Float.self).map(\.bitPattern) == wanted)
    let parts = try (0..<2).map { try file.part($0, of: "x") }
    #expect(parts.allSatisfy { $0.shape == [blocks / 4, type.blockSize * 2] })
    #expect(parts.flatMap { $0.array(of: Float.self).map(\.bitPattern) } == wanted)
  }

  /// Packed weights are finite, so blocks with other scales are refused.
  @Test(
    "become packed weights with the same numbers where their groups allow it",
    arguments: GGUFTensorType.allCases.filter { $0.packedFormat != nil })
  func packed(type: GGUFTensorType) throws {
    let folder = try TemporaryFolder()
    let wanted = try expected.tensor(named: "\(type)/values").array(of: Float.self)
    let blocks = wanted.count / type.blockSize
    let file = try file(
      type, [UInt64(type.blockSize) * 2, UInt64(blocks / 4), 2], in: folder)
    let half = wanted.count / 2
    for part in 0..<2 {
      let values = Array(wanted[part * half..<(part + 1) * half])
      guard values.allSatisfy(\.isFinite) else {
        #expect(throws: PackedWeightError.self) { try file.packed("x", part: part) }
        continue
      }
      let weight = try #require(try file.packed("x", part: part))
      #expect(weight.shape == [blocks / 4, type.blockSize * 2])
      // -0 and 0 are equal here: a code for 0 has no sign.
      #expect(weight.dequantized().array(of: Float.self) == values)
    }
    #expect(try file.packed("x") == nil)
  }

  @Test("are named as in the format")
  func names() {
    let names = GGUFTensorType.allCases.filter { $0.dtype == nil }.map(\.description)
    #expect(
      names == [
        "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4_NL",
        "MXFP4",
      ])
  }
}
