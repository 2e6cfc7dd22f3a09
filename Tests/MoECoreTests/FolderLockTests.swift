import MoECore
import MoETestSupport
import SystemPackage
import Testing

@Suite("Locks and growing files")
struct FolderLockTests {
  @Test("a folder is locked once, until the lock is released")
  func lock() throws {
    let folder = try TemporaryFolder()
    var first: FolderLock? = try FolderLock(folder.path)
    #expect {
      _ = try FolderLock(folder.path)
    } throws: { error in
      guard case FileError.inUse(folder.path, process: .some) = error else { return false }
      return "\(error)".contains("another run (process ")
    }
    extendLifetime(first)
    first = nil
    _ = try FolderLock(folder.path)
  }

  @Test("a folder that does not exist cannot be locked")
  func missing() throws {
    let folder = try TemporaryFolder()
    #expect(throws: FileError.self) { try FolderLock(folder.file("none")) }
  }

  @Test("a growing file keeps what it had")
  func growing() throws {
    let folder = try TemporaryFolder()
    let path = folder.file("log")
    try GrowingFile(path).append(Array("one\n".utf8))
    try GrowingFile(path).append(Array("two\n".utf8))
    #expect(try readBytes(path) == Array("one\ntwo\n".utf8))
  }

  @Test("folders are created with those that hold them")
  func folders() throws {
    let folder = try TemporaryFolder()
    let deep = folder.path.appending("a").appending("b")
    try deep.createFolders()
    try deep.createFolders()
    #expect(deep.isDirectory)
    _ = try folder.write([], to: "file")
    #expect(throws: FileError.self) {
      try folder.file("file").appending("c").createFolders()
    }
  }
}
