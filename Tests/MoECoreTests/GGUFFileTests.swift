import MoECore
import MoETestSupport
import SystemPackage
import Testing

@Suite("GGUF files")
struct GGUFFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func open(_ bytes: [UInt8]) throws -> GGUFFile {
    try GGUFFile(try folder.write(bytes, to: "file"))
  }

  @Test("are read", arguments: [2, 3] as [UInt32])
  func readsValid(version: UInt32) throws {
    var parts = GGUFCorpus.validParts
    parts.version = version
    let file = try open(parts.bytes)
    #expect(file.version == Int(version) && file.metadata.count == 16)
    #expect(try file.optionalText("text") == "größe" && file.optionalPositive("f32") == 0.1)
    #expect(try file.optionalPositive("f64") == 0.25 && file.optionalTruth("bool") == true)
    let range = -100...1 << 50
    for (key, value) in [
      ("u8", 9), ("i8", -1), ("u16", 513), ("i16", -2), ("u32", 7), ("i32", -3), ("u64", 1 << 40),
      ("i64", -5),
    ] {
      #expect(try file.integer(key, in: range) == value, "\(key)")
    }
    #expect(try file.list("texts").texts() == ["a", "", "ß"])
    #expect(try file.list("numbers").integers() == [1, -2, 3])
    #expect(try file.list("floats").floats() == [0.5, -1])
    let start = parts.bytes.count - 104
    #expect(
      file.tensors == [
        GGUFTensor(name: "a", type: .f32, shape: [2, 3], range: start..<start + 24),
        GGUFTensor(name: "b", type: .q8x0, shape: [1, 32], range: start + 32..<start + 66),
        GGUFTensor(name: "c", type: .f16, shape: [4], range: start + 96..<start + 104),
      ])
  }

  @Test("name the key whose value does not have the requested type")
  func wrongValues() throws {
    let file = try open(GGUFCorpus.valid)
    for error in [
      #expect(throws: GGUFError.self) { try file.integer("u32", in: 0...6) },
      #expect(throws: GGUFError.self) { try file.integer("text", in: 0...6) },
      #expect(throws: GGUFError.self) { try file.integer("none", in: 0...6) },
      #expect(throws: GGUFError.self) { try file.optionalText("u32") },
      #expect(throws: GGUFError.self) { try file.optionalTruth("u8") },
      #expect(throws: GGUFError.self) { try file.optionalPositive("text") },
      #expect(throws: GGUFError.self) { try file.list("text") },
      #expect(throws: GGUFError.self) { try file.list("texts").floats() },
      #expect(throws: GGUFError.self) { try file.list("floats").integers() },
      #expect(throws: GGUFError.self) { try file.list("numbers").texts() },
      #expect(throws: GGUFError.self) { try file.tensor(named: "none") },
    ] {
      let text = "\(error, default: "")"
      #expect(
        ["u32", "text", "none", "u8", "floats", "numbers"].contains { text.contains("'\($0)") })
    }
  }

  @Test("are rejected when they break a rule")
  func refusesMalformed() throws {
    let corpus = GGUFCorpus.malformed
    #expect(Set(corpus.map(\.bytes)).count >= 500)
    for (name, bytes) in corpus {
      #expect(throws: GGUFError.self, "\(name)") { try open(bytes) }
    }
  }

  @Test("are refused with the rule that they break")
  func namesTheRule() throws {
    func reason(_ name: String) throws -> GGUFError.Reason? {
      let bytes = try #require(GGUFCorpus.malformed.first { $0.name == name }?.bytes)
      return #expect(throws: GGUFError.self) { try open(bytes) }?.reason
    }
    #expect(try reason("another magic") == .notGGUF)
    #expect(try reason("big-endian") == .bigEndian)
    #expect(try reason("version 4") == .unsupportedVersion(4))
    #expect(try reason("duplicate key") == .duplicateKey("u32"))
    #expect(try reason("duplicate tensor") == .duplicateTensor("b"))
    #expect(try reason("truth 2") == .invalidTruth(key: "x", value: 2))
    #expect(try reason("type IQ2_XXS") == .unsupportedType(tensor: "a", type: "IQ2_XXS"))
    #expect(try reason("lists 10,000 deep") == .nestedTooDeeply(key: "deep"))
    #expect(try reason("overlap") == .overlap(tensor: "b", offset: 32, previousEnd: 36))
    #expect(try reason("offset 1") == .misaligned(tensor: "a", offset: 1, alignment: 32))
    #expect(
      try reason("last byte missing")
        == .outOfRange(tensor: "c", offset: 96, needed: 8, dataBytes: 103))
  }

  /// Every mutant is either read, and then every tensor's bytes and every list lie in the file, or refused.
  @Test("changed at random are read correctly or refused")
  func mutations() throws {
    var generator = SeededGenerator(seed: 20_261_121)
    var (accepted, refused) = (0, 0)
    for _ in 0..<6_000 {
      let bytes = mutated(
        GGUFCorpus.valid, with: [0, 1, 2, 8, 9, 12, 13, 32, 0x7F, 0x80, 0xFF], using: &generator)
      do {
        let file = try open(bytes)
        accepted += 1
        for tensor in file.tensors {
          #expect(tensor.range.lowerBound > 0 && tensor.range.upperBound <= bytes.count)
          let blocks = tensor.count / tensor.type.blockSize
          #expect(tensor.range.count == blocks * tensor.type.blockBytes)
        }
        for case .list(let list) in file.metadata.values {
          _ = try? list.texts()
          _ = try? list.integers()
          _ = try? list.floats()
        }
      } catch is GGUFError {
        refused += 1
      }
    }
    // Both kinds must occur, or the test would be meaningless.
    #expect(accepted > 100 && refused > 1_500, "\(accepted) \(refused)")
  }
}
