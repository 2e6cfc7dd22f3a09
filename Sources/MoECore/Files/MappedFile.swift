public import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A file mapped read-only into memory: opening costs no memory, pages are loaded when used.
///
/// If another process truncates the file while it is mapped, accesses beyond its new end are fatal
/// (the operating system offers no alternative). Switchyard itself replaces files by renaming,
/// which leaves open mappings intact.
@safe public final class MappedFile: Sendable {
  /// The file's path when it was opened.
  public let path: FilePath
  /// Length in bytes at the time of opening.
  public let count: Int

  // The address is constant and the memory is read-only, so concurrent reads are safe.
  private nonisolated(unsafe) let address: UnsafeRawPointer?

  /// Maps a regular file.
  ///
  /// - Throws: ``FileError`` when there is no such file, it is not a regular file, or it cannot be
  ///   read.
  public init(_ path: FilePath) throws(FileError) {
    // Non-blocking, because otherwise opening a pipe would wait for a writer.
    let descriptor = posixOpen(path, O_RDONLY | O_NONBLOCK)
    guard descriptor >= 0 else { throw FileError(operation: "open", path: path, code: errno) }
    defer { close(descriptor) }

    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      throw FileError(operation: "fstat", path: path, code: errno)
    }
    switch status.st_mode & S_IFMT {
    case S_IFREG: break
    case S_IFDIR: throw .isDirectory(path)
    default: throw .notRegular(path)
    }

    self.path = path
    self.count = Int(status.st_size)
    guard count > 0 else {
      unsafe address = nil  // An empty range cannot be mapped.
      return
    }
    let mapping = unsafe mmap(nil, count, PROT_READ, MAP_SHARED, descriptor, 0)
    guard unsafe mapping != MAP_FAILED, let mapping = unsafe mapping else {
      throw FileError(operation: "mmap", path: path, code: errno)
    }
    unsafe address = UnsafeRawPointer(mapping)
  }

  deinit {
    if let address = unsafe address {
      unsafe munmap(UnsafeMutableRawPointer(mutating: address), count)
    }
  }

  /// All bytes; valid as long as this object lives.
  @unsafe package var bytes: UnsafeRawBufferPointer {
    unsafe UnsafeRawBufferPointer(start: address, count: count)
  }

  /// Reads the bytes of `range`, or of the whole file.
  ///
  /// - Precondition: `range` lies inside the file.
  public func withBytes<Result, Failure: Error>(
    in range: Range<Int>? = nil, _ body: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    let range = range ?? 0..<count
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "\(range) of \(count) bytes")
    defer { extendLifetime(self) }
    let part = unsafe UnsafeRawBufferPointer(rebasing: bytes[range])
    return try body(unsafe part.bytes)
  }

  /// A copy of the bytes of `range`, or of the whole file.
  ///
  /// - Precondition: `range` lies inside the file.
  package func copied(_ range: Range<Int>? = nil) -> [UInt8] {
    withBytes(in: range) { bytes in unsafe bytes.withUnsafeBytes { unsafe [UInt8]($0) } }
  }

  /// A copy of the whole file, if it is not larger than such files are.
  ///
  /// What is read into memory as a whole takes several times as much there, so every kind of file has a
  /// ``FileLimit``.
  ///
  /// - Throws: ``FileError/tooLarge(_:bytes:limit:)``.
  package func copied(upTo limit: Int) throws(FileError) -> [UInt8] {
    try check(limit)
    return copied()
  }

  /// Throws when the file is larger than a limit in bytes.
  package func check(_ limit: Int) throws(FileError) {
    guard count <= limit else { throw .tooLarge(path, bytes: count, limit: limit) }
  }

  /// Releases the memory of pages that were read; they are read again when needed.
  package func discardPages() {
    guard let address = unsafe address else { return }
    unsafe madvise(UnsafeMutableRawPointer(mutating: address), count, MADV_DONTNEED)
  }
}
