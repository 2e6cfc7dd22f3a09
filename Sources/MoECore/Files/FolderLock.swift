public import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Locks a folder against other processes.
///
/// The lock is released with this object and when the process ends, in whatever way; the file
/// `lock` that stays behind has no meaning.
///
/// - SeeAlso: flock(2). Some network file systems do not propagate locks to other machines.
public final class FolderLock: Sendable {
  private let descriptor: CInt

  /// Locks an existing folder.
  ///
  /// - Throws: ``FileError/inUse(_:process:)`` when another process, or another object of this one,
  ///   holds the lock, or any other ``FileError``.
  public init(_ folder: FilePath) throws(FileError) {
    let path = folder.appending("lock")
    descriptor = posixOpen(path, O_RDWR | O_CREAT)
    guard descriptor >= 0 else { throw FileError(operation: "open", path: path, code: errno) }
    guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
      let code = errno
      let holder = Self.number(in: descriptor)
      close(descriptor)
      guard code == EWOULDBLOCK else {
        throw FileError(operation: "flock", path: path, code: code)
      }
      throw .inUse(folder, process: holder)
    }
    // The process ID is informational; the lock works without it, for example on a full disk.
    _ = ftruncate(descriptor, 0)
    let text = Array("\(getpid())\n".utf8)
    _ = unsafe pwrite(descriptor, text, text.count, 0)
  }

  deinit { close(descriptor) }

  private static func number(in descriptor: CInt) -> Int? {
    var bytes = [UInt8](repeating: 0, count: 20)
    let count = unsafe pread(descriptor, &bytes, bytes.count, 0)
    return Int(String(decoding: bytes.prefix(max(0, count)).filter { $0 > 32 }, as: UTF8.self))
  }
}
