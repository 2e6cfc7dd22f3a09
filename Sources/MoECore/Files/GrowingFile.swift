public import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A file that grows at its end, for logs: what was appended before stays whatever happens later.
public final class GrowingFile {
  private let path: FilePath
  private let descriptor: CInt

  /// Opens a file, or creates it empty.
  ///
  /// - Throws: ``FileError``.
  public init(_ path: FilePath) throws(FileError) {
    self.path = path
    descriptor = posixOpen(path, O_WRONLY | O_APPEND | O_CREAT)
    guard descriptor >= 0 else { throw FileError(operation: "open", path: path, code: errno) }
  }

  deinit { close(descriptor) }

  /// Adds bytes at the end.
  ///
  /// - Throws: ``FileError``; part of the bytes may have been written then.
  public func append(_ bytes: [UInt8]) throws(FileError) {
    var written = 0
    while written < bytes.count {
      let count = unsafe bytes.withUnsafeBytes {
        unsafe posixWrite(descriptor, $0, from: written)
      }
      if count < 0 && errno == EINTR { continue }
      guard count > 0 else { throw FileError(operation: "write", path: path, code: errno) }
      written += count
    }
  }
}

@available(*, unavailable)
extension GrowingFile: Sendable {}
