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
    #expect(throws: FileError.notFound(path.removingLastComponent())) {
      try AtomicFile.write("x", to: path)
    }
  }

  @Test("say that there is a folder in their place")
  func directoryInTheWay() throws {
    let folder = try TemporaryFolder()
    #expect(throws: FileError.isDirectory(folder.path)) {
      try AtomicFile.write("x", to: folder.path)
    }
  }

  @Test("can be checked before there is anything to write, which changes nothing")
  func checks() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("note.txt")
    try AtomicFile.check(path, replaces: false)
    #expect(try folder.contents().isEmpty)
    try AtomicFile.write("old", to: path)
    try AtomicFile.check(path, replaces: true)
    #expect(throws: FileError.alreadyExists(path)) {
      try AtomicFile.check(path, replaces: false)
    }
    #expect(try readBytes(path) == Array("old".utf8) && folder.contents() == ["note.txt"])
    #expect(throws: FileError.isDirectory(folder.path)) {
      try AtomicFile.check(folder.path, replaces: true)
    }
    let missing = folder.file("no").appending("file")
    #expect(throws: FileError.notFound(folder.file("no"))) {
      try AtomicFile.check(missing, replaces: true)
    }
  }

  @Test("never replace what is not a regular file, nor what is read meanwhile")
  func neverReplaced() throws {
    let folder = try TemporaryFolder()
    let (pipe, dangling) = (folder.file("pipe"), folder.file("dangling"))
    #expect(unsafe mkfifo(pipe.string, 0o600) == 0)
    try FileManager.default.createSymbolicLink(
      atPath: dangling.string, withDestinationPath: "nothing")
    for path in [pipe, dangling, "/dev/null"] {
      #expect(throws: FileError.notReplaceable(path)) { try AtomicFile.write("x", to: path) }
    }
    #expect(try folder.contents() == ["dangling", "pipe"])
    let (input, link) = (try folder.write([1], to: "input"), folder.file("link"))
    try FileManager.default.createSymbolicLink(
      atPath: link.string, withDestinationPath: "input")
    for path in [input, link] {
      #expect(throws: FileError.isInput(path)) {
        try AtomicFile.check(path, replaces: true, inputs: [input])
      }
    }
  }

  @Test("keep the permissions of what they replace, and the links that lead to it")
  func permissionsAndLinks() throws {
    let folder = try TemporaryFolder()
    let (path, link) = (folder.file("note.txt"), folder.file("link"))
    try AtomicFile.write("old", to: path)
    try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: path.string)
    try FileManager.default.createSymbolicLink(atPath: link.string, withDestinationPath: "note.txt")
    try AtomicFile.write("new", to: link)
    let attributes = try FileManager.default.attributesOfItem(atPath: path.string)
    #expect(attributes[.posixPermissions] as? Int == 0o600)
    #expect(try FileManager.default.destinationOfSymbolicLink(atPath: link.string) == "note.txt")
    #expect(try readBytes(path) == Array("new".utf8))
  }

  @Test("may have the longest names that the disk allows")
  func longName() throws {
    let folder = try TemporaryFolder()
    let path = folder.file(String(repeating: "x", count: 255))
    try AtomicFile.write("1", to: path)
    #expect(try readBytes(path) == Array("1".utf8))
  }

  @Test("say that the location is not writable")
  func notWritable() {
    // No user, not even root, can create files there.
    let path: FilePath = "/proc/switchyard-test"
    #expect(throws: FileError.permissionDenied(path)) { try AtomicFile.write("x", to: path) }
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

  @Test("resolve links before they are written")
  func links() throws {
    let folder = try TemporaryFolder()
    try FileManager.default.createDirectory(
      atPath: folder.file("real").string, withIntermediateDirectories: false)
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("link").string, withDestinationPath: "real")
    try AtomicDirectory.write(to: folder.file("link")) {
      try AtomicFile.write("1", to: $0.appending("a"))
    }
    #expect(
      try FileManager.default.contentsOfDirectory(atPath: folder.file("real").string) == ["a"])
    try FileManager.default.createSymbolicLink(
      atPath: folder.file("nowhere").string, withDestinationPath: "no such folder")
    #expect(throws: FileError.alreadyExists(folder.file("nowhere"))) {
      try AtomicDirectory.write(to: folder.file("nowhere")) { _ in }
    }
  }

  @Test("are rejected before any work if their place cannot be replaced")
  func mountPoint() {
    var called = false
    for path in ["/", "/dev/shm"] as [FilePath] {
      #expect(throws: FileError.self) { try AtomicDirectory.write(to: path) { _ in called = true } }
    }
    #expect(!called)
  }

  @Test("are removed when the program is interrupted")
  func interrupted() async {
    // In a separate process, because other tests have half-written folders at the same time.
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      try? AtomicDirectory.write(to: folder.file("model")) { inside in
        try AtomicFile.write("1", to: inside.appending("a"))
        TemporaryPaths.endWork()
        let left = try folder.contents()
        // Nothing may be finished or reported after this, so the process ends here.
        exit(left.isEmpty ? EXIT_SUCCESS : EXIT_FAILURE)
      }
    }
  }

  @Test("stay removed while another thread goes on writing into them")
  func interruptedWriter() async {
    await #expect(processExitsWith: .success) {
      let folder = try TemporaryFolder()
      let path = folder.file("model")
      let hasBegun = DispatchSemaphore(value: 0)
      Thread.detachNewThread {
        try? AtomicDirectory.write(to: path) { inside in
          for number in 0..<1_000_000 {
            try AtomicFile.write("1", to: inside.appending("\(number)"))
            if number == 10 { hasBegun.signal() }
          }
        }
        // The writer must not come here: it would report an error or succeed.
        exit(EXIT_FAILURE)
      }
      hasBegun.wait()
      TemporaryPaths.endWork()
      // The writer is given time to go wrong.
      try await Task.sleep(for: .milliseconds(200))
      exit(try folder.contents().isEmpty ? EXIT_SUCCESS : EXIT_FAILURE)
    }
  }

  @Test("name the caller's path, not the temporary one, in errors")
  func errorPath() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("model")
    #expect(throws: FileError.notFound(path)) {
      try AtomicDirectory.write(to: path) {
        try AtomicFile.write("1", to: $0.appending("no/such/folder"))
      }
    }
    #expect(throws: FileError.notFound(folder.file("missing"))) {
      try AtomicDirectory.write(to: folder.file("missing/model")) { _ in }
    }
  }

  @Test("never take the place of anything else")
  func refusesExisting() throws {
    let folder = try TemporaryFolder()
    _ = try folder.write([1], to: "model")
    let path = folder.file("model")
    #expect(throws: FileError.alreadyExists(path)) {
      try AtomicDirectory.write(to: path) { _ in }
    }
    #expect(throws: FileError.alreadyExists(folder.path)) {
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
