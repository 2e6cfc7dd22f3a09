import Foundation
import MoECore
import MoETestSupport
import SystemPackage
import Testing

@Suite("Mapped files")
struct MappedFileTests {
  @Test("give the file's bytes")
  func reads() throws {
    let folder = try TemporaryFolder()
    let file = try MappedFile(try folder.write([1, 2, 3, 4], to: "bytes"))
    #expect(file.count == 4)
    let part = file.withBytes(in: 1..<3) { bytes in
      unsafe bytes.withUnsafeBytes { unsafe Array($0) }
    }
    #expect(part == [2, 3])
  }

  @Test("may be empty")
  func empty() throws {
    let folder = try TemporaryFolder()
    let file = try MappedFile(try folder.write([], to: "empty"))
    #expect(file.withBytes { $0.byteCount } == 0)
  }

  @Test("keep their bytes when the file is replaced")
  func replacedWhileOpen() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("note")
    try AtomicFile.write("old", to: path)
    let file = try MappedFile(path)
    try AtomicFile.write("newer", to: path)
    let bytes = file.withBytes { bytes in unsafe bytes.withUnsafeBytes { unsafe Array($0) } }
    #expect(bytes == Array("old".utf8))
  }

  @Test("refuse folders, pipes, devices and missing files")
  func refuses() throws {
    let folder = try TemporaryFolder()
    #expect(throws: FileError.notFound(folder.file("none"))) { try MappedFile(folder.file("none")) }
    #expect(throws: FileError.isDirectory(folder.path)) { try MappedFile(folder.path) }
    #expect(throws: FileError.notRegular("/dev/zero")) { try MappedFile("/dev/zero") }
    let pipe = folder.file("pipe")
    unsafe #expect(mkfifo(pipe.string, 0o600) == 0)
    #expect(throws: FileError.notRegular(pipe)) { try MappedFile(pipe) }
  }
}
