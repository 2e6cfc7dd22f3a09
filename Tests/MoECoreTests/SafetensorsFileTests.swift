import Foundation
import MoECore
import MoETestSupport
import SystemPackage
import Testing

@Suite("Safetensors files")
struct SafetensorsFileTests {
  @Test("have no metadata when it is null, as MLX writes it")
  func nullMetadata() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("null.safetensors")
    let json = #"{"__metadata__":null,"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}}"#
    try AtomicFile.write(
      SafetensorsCorpus.file(json, data: Array(repeating: 7, count: 8)), to: path)
    let file = try SafetensorsFile(path)
    #expect(file.header.metadata.isEmpty && file.header.entries.map(\.name) == ["a"])
    for broken in ["nul", "nulls", "none"] {
      let text = json.replacing("null", with: broken)
      try AtomicFile.write(
        SafetensorsCorpus.file(text, data: Array(repeating: 7, count: 8)), to: path)
      #expect(throws: SafetensorsError.self) { try SafetensorsFile(path) }
    }
  }

  @Test("are read")
  func readsValid() throws {
    let folder = try TemporaryFolder()
    let file = try SafetensorsFile(try folder.write(SafetensorsCorpus.valid, to: "valid"))
    #expect(file.header.metadata == ["k": "v"])
    #expect(
      file.header.entries == [
        SafetensorsEntry(name: "a", dtype: .f32, shape: [2], range: 0..<8),
        SafetensorsEntry(name: "b", dtype: .bf16, shape: [3, 1], range: 8..<14),
      ])
    try file.withBytes(of: "b") { bytes in
      #expect(unsafe bytes.withUnsafeBytes { unsafe Array($0) } == Array(9...14))
    }
  }

  @Test("may be empty")
  func readsEmpty() throws {
    let folder = try TemporaryFolder()
    let file = try SafetensorsFile(try folder.write(SafetensorsCorpus.file("{}"), to: "valid"))
    #expect(file.header.entries.isEmpty)
  }

  @Test("are refused when they break a rule")
  func refusesMalformed() throws {
    let folder = try TemporaryFolder()
    let corpus = SafetensorsCorpus.malformed
    #expect(Set(corpus.map(\.bytes)).count >= 100)
    for (name, bytes) in corpus {
      let path = try folder.write(bytes, to: "malformed")
      #expect(throws: SafetensorsError.self, "\(name)") { try SafetensorsFile(path) }
    }
  }

  @Test("are refused with the rule that they break")
  func namesTheRule() throws {
    let folder = try TemporaryFolder()
    func reason(_ name: String) throws -> SafetensorsError.Reason? {
      let bytes = try #require(SafetensorsCorpus.malformed.first { $0.name == name }?.bytes)
      let path = try folder.write(bytes, to: "malformed")
      return #expect(throws: SafetensorsError.self) { try SafetensorsFile(path) }?.reason
    }
    #expect(try reason("empty file") == .truncated(bytes: 0, needed: 8))
    #expect(try reason("duplicate tensor by escape") == .duplicateName("a"))
    #expect(try reason("unknown dtype") == .unknownDType(tensor: "a", dtype: "F31"))
    #expect(try reason("overlap") == .overlap(tensor: "b", begin: 4, previousEnd: 8))
    #expect(try reason("hole between tensors") == .unusedBytes(begin: 8, end: 9))
    #expect(try reason("trailing byte") == .unusedBytes(begin: 8, end: 9))
    #expect(
      try reason("too few bytes for the shape")
        == .sizeMismatch(tensor: "a", needed: 12, spanned: 8))
    #expect(
      try reason("shape overflow")
        == .shapeOverflow(tensor: "a", shape: [4_294_967_296, 4_294_967_296]))
    #expect(
      try reason("offset beyond the data")
        == .offsetsOutOfRange(tensor: "a", begin: 0, end: 16, dataBytes: 8))
  }

  @Test("that are missing, or folders, are refused as files")
  func refusesWhatIsNoFile() throws {
    let folder = try TemporaryFolder()
    #expect(throws: FileError.notFound(folder.file("x"))) { try SafetensorsFile(folder.file("x")) }
    #expect(throws: FileError.isDirectory(folder.path)) { try SafetensorsFile(folder.path) }
  }

  /// Every mutant is either read, and then every tensor's bytes lie in the file, or refused.
  @Test("changed at random are read correctly or refused")
  func mutations() throws {
    let folder = try TemporaryFolder()
    var generator = SeededGenerator(seed: 20_260_103)
    var (accepted, refused) = (0, 0)
    for _ in 0..<20_000 {
      let bytes = mutated(SafetensorsCorpus.valid, with: jsonBytes, using: &generator)
      let path = try folder.write(bytes, to: "mutant")
      do {
        let file = try SafetensorsFile(path)
        accepted += 1
        var total = 0
        for entry in file.header.entries {
          try file.withBytes(of: entry.name) { total += $0.byteCount }
          #expect(entry.count * entry.dtype.byteSize == entry.range.count)
        }
        let headerLength = Int(bytes[0]) | Int(bytes[1]) << 8
        #expect(8 + headerLength + total == bytes.count)
      } catch is SafetensorsError {
        refused += 1
      }
    }
    // Both kinds must occur, or the test would be meaningless.
    #expect(accepted > 200 && refused > 10_000)
  }
}
