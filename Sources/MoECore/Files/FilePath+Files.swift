package import SystemPackage

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

  /// A hidden, unused name in the same folder.
  var temporarySibling: FilePath {
    let name = lastComponent?.string ?? "file"
    let tag = String(UInt64.random(in: .min ... .max), radix: 36)
    return folder.appending(".\(name).\(tag).partial")
  }

  /// Whether a folder is at this path.
  package var isDirectory: Bool {
    (try? stat().type) == .directory
  }

  /// Whether nothing, or an empty folder, is at this path.
  package var isMissingOrEmptyDirectory: Bool {
    guard let stream = unsafe withPlatformString({ unsafe opendir($0) }) else {
      return errno == ENOENT
    }
    defer { unsafe _ = closedir(stream) }
    var entries = 0
    while unsafe readdir(stream) != nil { entries += 1 }
    return entries <= 2  // "." and ".."
  }

  /// Gives what is at this path another path on the same disk, replacing what is there.
  func rename(to target: FilePath) throws(FileError) {
    let status = unsafe withPlatformString { from in
      unsafe target.withPlatformString { unsafe posixRename(from, $0) }
    }
    guard status == 0 else { throw FileError(operation: "rename", path: target, code: errno) }
  }

  /// Waits until this folder's entries are on disk.
  func synchronize() throws(FileError) {
    let descriptor = posixOpen(self, O_RDONLY)
    guard descriptor >= 0 else { throw FileError(operation: "open", path: self, code: errno) }
    defer { close(descriptor) }
    // Some file systems cannot flush folders; their renames are then as durable as they get.
    guard fsync(descriptor) == 0 || errno == EINVAL else {
      throw FileError(operation: "fsync", path: self, code: errno)
    }
  }
}

// The C functions below share their names with members, which hides them inside those types.

private func posixRename(
  _ from: UnsafePointer<CInterop.PlatformChar>, _ to: UnsafePointer<CInterop.PlatformChar>
) -> CInt {
  unsafe rename(from, to)
}

/// Opens a file with the usual permissions for a new one; negative on failure.
func posixOpen(_ path: FilePath, _ flags: CInt) -> CInt {
  unsafe path.withPlatformString { unsafe open($0, flags | O_CLOEXEC, 0o644) }
}

/// Writes bytes from offset `start` on; Linux moves at most 2 GiB per call.
func posixWrite(_ descriptor: CInt, _ bytes: UnsafeRawBufferPointer, from start: Int) -> Int {
  let rest = unsafe UnsafeRawBufferPointer(rebasing: bytes[start...].prefix(1 << 30))
  return unsafe write(descriptor, rest.baseAddress, rest.count)
}
