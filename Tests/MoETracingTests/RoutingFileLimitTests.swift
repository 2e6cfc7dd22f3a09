import Foundation
import MoECore
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

@Suite("Files of routing that cannot be what they are named")
struct RoutingFileLimitTests {
  private static let size = 20_000_000_000

  @Test("are refused before gigabytes are read", arguments: ["counts.csv", "counts.json"])
  func counts(name: String) throws {
    let folder = try TemporaryFolder()
    // A list that never ends, so that the file is taken for JSON.
    let path = try folder.sparseFile(bytes: Self.size, at: name)
    if name.hasSuffix("json") { try begin(path, with: "[[0], ") }
    let error = FileError.tooLarge(path, bytes: Self.size, limit: FileLimit.json)
    #expect(throws: error) { try RoutingSource(path) }
  }

  @Test("are refused when they are to be imported", arguments: ["megatron", "llamacpp", "vllm"])
  func lines(importer: String) throws {
    let folder = try TemporaryFolder()
    let path = try folder.sparseFile(bytes: Self.size, at: "zeros")
    let named = try #require(TraceImporters.registry[importer])
    #expect {
      try TraceImport(path, with: named).write(to: folder.file("t.safetensors"))
    } throws: {
      "\($0)".contains("line 1 is longer than 64.0 MB") && "\($0)".contains(path.string)
    }
    #expect(try folder.contents() == ["zeros"])
  }

  @Test("are refused as GPT-OSS's JSON, and while their format is guessed")
  func json() throws {
    let folder = try TemporaryFolder()
    let path = try folder.sparseFile(bytes: Self.size, at: "record.json")
    try begin(path, with: "[[0], ")
    let error = FileError.tooLarge(path, bytes: Self.size, limit: FileLimit.json)
    for importer in [nil, TraceImporters.registry["gptoss"]] {
      #expect(throws: error) {
        try TraceImport(path, with: importer).write(to: folder.file("t.safetensors"))
      }
    }
  }

  /// Writes over the first bytes of a file.
  private func begin(_ path: FilePath, with text: String) throws {
    let file = try FileHandle(forWritingTo: URL(filePath: path.string))
    try file.write(contentsOf: Data(text.utf8))
    try file.close()
  }
}
