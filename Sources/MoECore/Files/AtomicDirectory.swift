import Foundation
public import SystemPackage

/// Creates a folder atomically: it appears with all its files or not at all.
public enum AtomicDirectory {
  /// Creates a folder with the files that `body` writes into it.
  ///
  /// `body` receives the path of a hidden temporary folder beside `path`, which is renamed at the
  /// end. Only a process that is killed with SIGKILL can leave that folder behind; its name ends in
  /// `.partial`.
  ///
  /// - Throws: ``FileError/alreadyExists(_:)`` when `path` is anything but an empty folder, any
  ///   other ``FileError``, or what `body` throws; nothing is left behind in that case.
  public static func write<Result>(
    to path: FilePath, _ body: (FilePath) throws -> Result
  ) throws -> Result {
    let target = try checkedTarget(path)
    let temporary = target.temporarySibling
    try TemporaryPaths.add(temporary) {
      guard unsafe temporary.withPlatformString({ unsafe mkdir($0, 0o777) }) == 0 else {
        throw FileError(creatingIn: target.folder, for: path, code: errno)
      }
    }
    defer { TemporaryPaths.remove(temporary) }
    do {
      let result = try body(temporary)
      temporary.synchronize()
      try TemporaryPaths.uninterrupted { try temporary.rename(to: target) }
      target.folder.synchronize()
      return result
    } catch {
      try? FileManager.default.removeItem(atPath: temporary.string)
      // The temporary name means nothing to the caller.
      throw (error as? FileError)?.at(path) ?? error
    }
  }

  /// The folder's resolved path, after checking that it can be created there.
  private static func checkedTarget(_ path: FilePath) throws(FileError) -> FilePath {
    guard path.isMissingOrEmptyDirectory else { throw .alreadyExists(path) }
    guard let target = path.resolved else { return path }
    let device = try? target.stat().deviceID
    guard !target.components.isEmpty, device == (try? target.folder.stat().deviceID) else {
      throw .mountPoint(path)
    }
    return target
  }
}
