import MoECore
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

/// Fixtures: `Tests/Fixtures/make/gguf_files.py`.
@Suite("Tensors of GGUF files")
struct GGUFTensorTests {
  private static let types: [(String, GGUFTensorType)] = [
    ("Q8_0", .q8x0), ("Q4_0", .q4x0), ("Q4_1", .q4x1),
  ]

  /// A file with one tensor of the given blocks.
  private func elements(_ type: GGUFTensorType, _ blocks: [UInt8]) throws -> [UInt32] {
    let folder = try TemporaryFolder()
    var parts = GGUFBytes()
    let count = UInt64(blocks.count / type.blockBytes)
    parts.tensors = [GGUFBytes.tensor("x", [32, count], type: type.rawValue)]
    parts.data = blocks
    let tensor = try GGUFFile(try folder.write(parts.bytes, to: "x.gguf")).elements(of: "x")
    #expect(tensor.shape == [Int(count), 32])
    return tensor.array(of: Float.self).map(\.bitPattern)
  }

  @Test("equal the reference's bit for bit", arguments: types)
  func reference(name: String, type: GGUFTensorType) throws {
    let file = try SafetensorsFile(Fixtures.path("gguf").appending("expected.safetensors"))
    let blocks = try file.tensor(named: "blocks/\(name)").array(of: UInt8.self)
    let values = try file.tensor(named: "blocks/\(name)/values").array(of: Float.self)
    #expect(values.count == 512 * 32)
    #expect(try elements(type, blocks) == values.map(\.bitPattern))
  }

  #if !(os(macOS) && arch(x86_64))
  /// The formulas, one element at a time.
  private func plain(_ type: GGUFTensorType, _ block: ArraySlice<UInt8>) -> [Float] {
    let bytes = Array(block)
    func half(_ place: Int) -> Float {
      Float(Float16(bitPattern: UInt16(bytes[place]) | UInt16(bytes[place + 1]) << 8))
    }
    return (0..<32).map { index in
      let nibble = bytes[bytes.count - 16 + index % 16] >> (index < 16 ? 0 : 4) & 15
      switch type {
      case .q8x0: return half(0) * Float(Int8(bitPattern: bytes[2 + index]))
      case .q4x0: return half(0) * Float(Int(nibble) - 8)
      default: return half(0) * Float(nibble) + half(2)
      }
    }
  }

  @Test("equal the plain formulas for every scale", arguments: types)
  func plainFormulas(name: String, type: GGUFTensorType) throws {
    var generator = SeededGenerator(seed: 5)
    var blocks: [UInt8] = []
    // Every f16 except those with the largest exponent, which are infinite or NaN.
    for bits in UInt16.min ... .max where bits & 0x7C00 != 0x7C00 && bits.isMultiple(of: 7) {
      let more = (2..<type.blockBytes).map { place in
        UInt8.random(in: 0...255, using: &generator) & (type == .q4x1 && place == 3 ? 0x83 : 0xFF)
      }
      blocks += [UInt8(truncatingIfNeeded: bits), UInt8(bits >> 8)] + more
    }
    let size = type.blockBytes
    let expected = stride(from: 0, to: blocks.count, by: size).flatMap {
      plain(type, blocks[$0..<$0 + size])
    }
    #expect(try elements(type, blocks) == expected.map(\.bitPattern))
  }
  #endif

  @Test("of plain types are mapped")
  func plainTypes() throws {
    let folder = try TemporaryFolder()
    var parts = GGUFBytes()
    parts.tensors = [
      GGUFBytes.tensor("a", [2, 1]), GGUFBytes.tensor("b", [2], type: 30, at: 32),
      GGUFBytes.tensor("c", [2], type: 1, at: 64),
    ]
    parts.data = [0, 0, 0x80, 0x3F, 0, 0, 0, 0xC0] + Array(repeating: 0, count: 24)
    parts.data += [0x80, 0x3F, 0, 0xC0] + Array(repeating: 0, count: 28) + [0, 0x3C, 0, 0xC0]
    let file = try GGUFFile(try folder.write(parts.bytes, to: "x"))
    for (name, dtype, shape) in [("a", .f32, [1, 2]), ("b", .bf16, [2]), ("c", .f16, [2])]
      as [(String, DType, [Int])]
    {
      let tensor = try file.elements(of: name)
      #expect(tensor.dtype == dtype && tensor.shape == shape)
      #expect(tensor.cast(to: .f32).array(of: Float.self) == [1, -2])
    }
    #expect(throws: GGUFError.self) { try file.elements(of: "d") }
  }
}
