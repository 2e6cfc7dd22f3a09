public import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

#if os(Linux)
/// `O_TMPFILE`, which Swift cannot import because it is a compound macro.
private let namelessFile: CInt = 0o20_000_000 | O_DIRECTORY
#endif

/// Writes a file atomically: it appears complete or not at all.
///
/// Bytes go to an unnamed file in the target's folder (or to a hidden temporary file if the file
/// system does not support unnamed ones). Only ``AtomicFile/write(to:_:)`` gives it its name, after
/// its contents have reached the disk. Until then, an existing file at the path is unchanged; with
/// unnamed files, even a process that is killed while it writes leaves nothing behind.
///
/// A new file gets the permissions that the umask allows, a replaced one keeps its own. A link to a file is
/// kept, and the file that it points to is replaced. Nothing but regular files is ever replaced.
public struct AtomicFile: ~Copyable {
  private let path: FilePath
  private let descriptor: CInt
  /// Name of the temporary file; `nil` while the file is unnamed.
  private var temporary: FilePath?

  /// Creates the file at `path`, or replaces it, with the bytes that `body` writes.
  ///
  /// - Throws: ``FileError``, or what `body` throws; the path is unchanged in that case.
  public static func write<Result>(
    to path: FilePath, _ body: (borrowing AtomicFile) throws -> Result
  ) throws -> Result {
    var file = try AtomicFile(path)
    let result = try body(file)
    try file.commit()
    return result
  }

  /// Creates the file at `path`, or replaces it, with `text`.
  public static func write(_ text: String, to path: FilePath) throws {
    var text = text
    try write(to: path) { file in
      try text.withUTF8 { unsafe try file.append($0.span.bytes) }
    }
  }

  /// Creates the file at `path`, or replaces it, with bytes.
  public static func write(_ bytes: [UInt8], to path: FilePath) throws {
    try write(to: path) { file in unsafe try file.append(bytes.span.bytes) }
  }

  /// Checks that a file could be created at `path`, without changing anything.
  ///
  /// - Parameters:
  ///   - path: The file to write later.
  ///   - replaces: Whether a file that exists there may be replaced.
  ///   - inputs: Files and folders that are read while it is written, and so must stay; pages in a folder may be
  ///     replaced, because nobody reads them.
  /// - Throws: ``FileError``, as writing would; ``FileError/alreadyExists(_:)``;
  ///   ``FileError/isInput(_:)``.
  public static func check(
    _ path: FilePath, replaces: Bool, inputs: [FilePath] = []
  ) throws(FileError) {
    _ = try AtomicFile(path)
    if let target = path.resolved, inputs.contains(where: { Self.reads($0, target) }) {
      throw .isInput(path)
    }
    guard replaces || path.isMissing else { throw .alreadyExists(path) }
  }

  /// Whether a file is an input, or lies in a folder that is one.
  private static func reads(_ input: FilePath, _ target: FilePath) -> Bool {
    guard let input = input.resolved else { return false }
    return input == target
      || target.starts(with: input) && input.isDirectory && target.extension != "html"
  }

  private init(_ path: FilePath) throws(FileError) {
    let target = path.resolved ?? path
    let (descriptor, temporary) = try Self.open(target)
    self.path = target
    self.descriptor = descriptor
    self.temporary = temporary
  }

  /// Opens an unnamed file for `path`, or a temporary one and returns its name.
  private static func open(_ path: FilePath) throws(FileError) -> (CInt, FilePath?) {
    try path.checkReplaceable()
    #if os(Linux)
    let nameless = posixOpen(path.folder, namelessFile | O_WRONLY)
    if nameless >= 0 { return (nameless, nil) }
    guard [EOPNOTSUPP, EISDIR, EINVAL].contains(errno) else {
      throw FileError(creatingIn: path.folder, for: path, code: errno)
    }
    #endif
    let name = path.temporarySibling
    let named = try TemporaryPaths.add(name) { () throws(FileError) in
      let named = posixOpen(name, O_CREAT | O_EXCL | O_WRONLY)
      guard named >= 0 else { throw FileError(creatingIn: path.folder, for: path, code: errno) }
      return named
    }
    return (named, name)
  }

  deinit {
    close(descriptor)
    if let temporary {
      unsafe temporary.withPlatformString { _ = unsafe unlink($0) }
      TemporaryPaths.remove(temporary)
    }
  }

  /// Appends bytes.
  public func append(_ bytes: RawSpan) throws(FileError) {
    try writeAll(bytes, to: descriptor, path)
  }

  private mutating func commit() throws(FileError) {
    guard fsync(descriptor) == 0 else {
      throw FileError(operation: "fsync", path: path, code: errno)
    }
    let name = temporary ?? path.temporarySibling
    defer { TemporaryPaths.remove(name) }
    if temporary == nil {
      let descriptor = self.descriptor
      try TemporaryPaths.add(name) { [path] () throws(FileError) in
        let linked = unsafe name.withPlatformString {
          unsafe linkat(AT_FDCWD, "/proc/self/fd/\(descriptor)", AT_FDCWD, $0, AT_SYMLINK_FOLLOW)
        }
        guard linked == 0 else { throw FileError(operation: "linkat", path: path, code: errno) }
      }
      temporary = name
    }
    if let mode = try? path.stat().permissions { _ = fchmod(descriptor, mode.rawValue) }
    try TemporaryPaths.uninterrupted { [path] () throws(FileError) in try name.rename(to: path) }
    temporary = nil
    path.folder.synchronize()
  }
}
