package import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// Bytes that are kept on disk, in an unnamed file, until they are needed again.
///
/// The file disappears with this object and when the process ends, in whatever way.
package final class SpooledBytes {
  private let path: FilePath
  private let descriptor: CInt
  /// The number of bytes so far.
  package private(set) var count = 0
  private var buffer: [UInt8] = []

  private static let bufferSize = 1 << 20

  /// Creates an empty file on the disk that holds `path`.
  package init(beside path: FilePath) throws(FileError) {
    self.path = path
    let name = path.temporarySibling
    descriptor = posixOpen(name, O_CREAT | O_EXCL | O_RDWR)
    guard descriptor >= 0 else { throw FileError(creatingIn: path.folder, for: path, code: errno) }
    unsafe name.withPlatformString { _ = unsafe unlink($0) }
  }

  deinit { close(descriptor) }

  /// Appends the bytes of some elements.
  package func append<Element: BitwiseCopyable>(_ elements: [Element]) throws(FileError) {
    unsafe elements.withUnsafeBytes { unsafe buffer.append(contentsOf: $0) }
    if buffer.count >= Self.bufferSize { try flush() }
  }

  /// A path under which this process can read what was flushed, as long as this object lives.
  package var openFile: FilePath { FilePath("/dev/fd/\(descriptor)") }

  /// Writes what is buffered to the disk.
  package func flush() throws(FileError) {
    let bytes = buffer
    unsafe try writeAll(bytes.span.bytes, to: descriptor, path)
    count += buffer.count
    buffer.removeAll(keepingCapacity: true)
  }

  /// Appends everything to a file.
  package func copy(to file: borrowing AtomicFile) throws(FileError) {
    try forEachPart { part throws(FileError) in unsafe try file.append(part.span.bytes) }
  }

  /// Calls `body` with one part after another, about a mebibyte each.
  package func forEachPart(
    _ body: (ArraySlice<UInt8>) throws(FileError) -> Void
  ) throws(FileError) {
    try flush()
    var part = [UInt8](repeating: 0, count: Self.bufferSize)
    var offset = 0
    while offset < count {
      let read = unsafe pread(descriptor, &part, part.count, off_t(offset))
      if read < 0 && errno == EINTR { continue }
      guard read > 0 else { throw FileError(operation: "read", path: path, code: errno) }
      try body(part[..<read])
      offset += read
    }
  }
}
