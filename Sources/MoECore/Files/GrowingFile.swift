public import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// An append-only file, for logs: what was appended stays, whatever happens later.
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

  /// Appends bytes.
  ///
  /// - Throws: ``FileError``; some of the bytes may have been written.
  public func append(_ bytes: [UInt8]) throws(FileError) {
    unsafe try writeAll(bytes.span.bytes, to: descriptor, path)
  }
}

@available(*, unavailable)
extension GrowingFile: Sendable {}
