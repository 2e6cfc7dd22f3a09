public import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

extension FilePath {
  /// The folder that holds this path's last component.
  package var folder: FilePath {
    let parent = removingLastComponent()
    return parent.isEmpty ? "." : parent
  }

  /// A hidden, unused name in the same folder; short, so that it is valid wherever this path is.
  package var temporarySibling: FilePath {
    let tag = String(UInt64.random(in: .min ... .max), radix: 36)
    return folder.appending(".\(tag).partial")
  }

  /// The path without links and relative components; `nil` if nothing exists here.
  package var resolved: FilePath? {
    guard let path = unsafe withPlatformString({ unsafe realpath($0, nil) }) else { return nil }
    defer { unsafe free(path) }
    return unsafe FilePath(platformString: path)
  }

  /// The same for all names of one place, also where nothing exists yet.
  package var identity: FilePath {
    if let resolved { return resolved }
    guard let folder = folder.resolved, let name = lastComponent else { return self }
    return folder.appending(name)
  }

  /// Whether a folder is at this path.
  package var isDirectory: Bool {
    (try? stat().type) == .directory
  }

  /// Throws unless a regular file, a link to one, or nothing is at this path.
  func checkReplaceable() throws(FileError) {
    guard !isDirectory else { throw .isDirectory(self) }
    guard isMissing || (try? stat().type) == .regular else { throw .notReplaceable(self) }
  }

  /// Creates this folder and its parents, unless they exist.
  package func createFolders() throws(FileError) {
    if isDirectory { return }
    if !folder.isDirectory, folder != self { try folder.createFolders() }
    guard unsafe withPlatformString({ unsafe mkdir($0, 0o777) }) == 0 || isDirectory else {
      throw FileError(creatingIn: folder, for: self, code: errno)
    }
  }

  /// Whether something exists at this path, following links.
  package var exists: Bool { (try? stat()) != nil }

  /// Whether nothing exists at this path, not even a link.
  public var isMissing: Bool { (try? stat(followTargetSymlink: false)) == nil }

  /// Whether nothing, or only an empty folder, exists at this path.
  package var isMissingOrEmptyDirectory: Bool {
    guard let stream = unsafe withPlatformString({ unsafe opendir($0) }) else {
      // A dangling link counts as something, too.
      return errno == ENOENT && isMissing
    }
    defer { unsafe _ = closedir(stream) }
    var entries = 0
    while unsafe readdir(stream) != nil { entries += 1 }
    return entries <= 2  // "." and ".."
  }

  /// Renames this file or folder on the same disk, replacing what is at the target.
  package func rename(to target: FilePath) throws(FileError) {
    let status = unsafe withPlatformString { from in
      unsafe target.withPlatformString { unsafe posixRename(from, $0) }
    }
    guard status == 0 else { throw FileError(operation: "rename", path: target, code: errno) }
  }

  /// Flushes this folder's entries to disk, if the file system and the permissions allow it.
  ///
  /// What was written is in place either way, so a refusal is not an error.
  func synchronize() {
    let descriptor = posixOpen(self, O_RDONLY)
    guard descriptor >= 0 else { return }
    _ = fsync(descriptor)
    close(descriptor)
  }
}

// Inside types with members of the same names, these C functions would be hidden.

private func posixRename(
  _ from: UnsafePointer<CInterop.PlatformChar>, _ to: UnsafePointer<CInterop.PlatformChar>
) -> CInt {
  unsafe rename(from, to)
}

/// Opens a file, with the usual permissions if it is new; negative on failure.
func posixOpen(_ path: FilePath, _ flags: CInt) -> CInt {
  unsafe path.withPlatformString { unsafe open($0, flags | O_CLOEXEC, 0o666) }
}

/// Writes all bytes to an open file; `path` is for errors, which may follow a partial write.
func writeAll(_ bytes: RawSpan, to descriptor: CInt, _ path: FilePath) throws(FileError) {
  var written = 0
  while written < bytes.byteCount {
    let count = unsafe bytes.withUnsafeBytes { bytes in
      // Linux writes at most 2 GiB per call.
      let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[written...].prefix(1 << 30))
      return unsafe write(descriptor, rest.baseAddress, rest.count)
    }
    if count < 0 && errno == EINTR { continue }
    guard count > 0 else { throw FileError(operation: "write", path: path, code: errno) }
    written += count
  }
}
