import Foundation
import MoECore
import MoETestSupport
import SystemPackage
import Testing

@Suite("Atomic files")
struct AtomicFileTests {
  private struct Interrupted: Error {}

  @Test("appear with their contents and replace older ones")
  func replaces() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("note.txt")
    try AtomicFile.write("old", to: path)
    try AtomicFile.write("new", to: path)
    #expect(try readBytes(path) == Array("new".utf8))
    #expect(try folder.contents() == ["note.txt"])
  }

  @Test("leave an older file alone, and nothing else, when writing fails")
  func failureLeavesNothing() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("note.txt")
    try AtomicFile.write("old", to: path)
    #expect(throws: Interrupted.self) {
      try AtomicFile.write(to: path) { file in
        unsafe try file.append([1, 2, 3].span.bytes)
        throw Interrupted()
      }
    }
    #expect(try readBytes(path) == Array("old".utf8))
    #expect(try folder.contents() == ["note.txt"])
  }

  @Test("say that the folder does not exist")
  func missingFolder() throws {
    let path = try TemporaryFolder().file("no/such/file")
    #expect(throws: FileError.notFound(path)) { try AtomicFile.write("x", to: path) }
  }

  @Test("say that a folder stands in their place")
  func directoryInTheWay() throws {
    let folder = try TemporaryFolder()
    #expect(throws: FileError.isDirectory(folder.path)) {
      try AtomicFile.write("x", to: folder.path)
    }
  }

  @Test("say that the place is not writable")
  func notWritable() {
    // Nobody, not even root, can create files there.
    let path: FilePath = "/proc/switchyard-test"
    #expect(throws: FileError.self) { try AtomicFile.write("x", to: path) }
  }
}

@Suite("Atomic folders")
struct AtomicDirectoryTests {
  private struct Interrupted: Error {}

  @Test("appear with all their files")
  func appears() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("model")
    try AtomicDirectory.write(to: path) { inside in
      try AtomicFile.write("1", to: inside.appending("a"))
      #expect(!FileManager.default.fileExists(atPath: path.string))
      try AtomicFile.write("2", to: inside.appending("b"))
    }
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: path.string).sorted() == ["a", "b"])
    #expect(try folder.contents() == ["model"])
  }

  @Test("may take the place of an empty folder")
  func replacesEmpty() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("model")
    try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: false)
    try AtomicDirectory.write(to: path) { try AtomicFile.write("1", to: $0.appending("a")) }
    #expect(try FileManager.default.contentsOfDirectory(atPath: path.string) == ["a"])
  }

  @Test("never take the place of anything else")
  func refusesExisting() throws {
    let folder = try TemporaryFolder()
    _ = try folder.write([1], to: "model")
    let path = folder.file("model")
    #expect(throws: FileError.notAnEmptyDirectory(path)) {
      try AtomicDirectory.write(to: path) { _ in }
    }
    #expect(throws: FileError.notAnEmptyDirectory(folder.path)) {
      try AtomicDirectory.write(to: folder.path) { _ in }
    }
    #expect(try readBytes(path) == [1])
  }

  @Test("leave nothing behind when writing fails")
  func failureLeavesNothing() throws {
    let folder = try TemporaryFolder()
    #expect(throws: Interrupted.self) {
      try AtomicDirectory.write(to: folder.file("model")) { inside in
        try AtomicFile.write("1", to: inside.appending("a"))
        throw Interrupted()
      }
    }
    #expect(try folder.contents() == [])
  }
}
