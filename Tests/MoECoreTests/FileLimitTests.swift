import MoECore
import MoETestSupport
import SystemPackage
import Testing

@Suite("Files that are read as a whole")
struct FileLimitTests {
  @Test("are refused by their size, before they are read")
  func limits() throws {
    let folder = try TemporaryFolder()
    // Sparse files: reading one would take gigabytes.
    let size = 3_000_000_000
    let path = try folder.sparseFile(bytes: size, at: "config.json")
    let error = FileError.tooLarge(path, bytes: size, limit: FileLimit.configuration)
    #expect(throws: error) { try ConfigurationObject(path) }
    #expect("\(error)".contains("\(ByteCount(size))"), "\(error)")
    let file = try MappedFile(path)
    #expect(throws: FileError.tooLarge(path, bytes: size, limit: FileLimit.json)) {
      try file.json([Int].self)
    }
    #expect { try file.json([Int].self, expected: "a list") } throws: {
      "\($0)".contains("expected a list") && "\($0)".contains("\(ByteCount(size))")
    }
  }
}
