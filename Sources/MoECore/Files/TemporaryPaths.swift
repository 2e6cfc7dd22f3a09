import Foundation
package import SystemPackage

/// The temporary files and folders that exist now, for cleaning up when the program is interrupted.
///
/// One lock guards the list. ``endWork()`` takes it for ever, so that whoever was writing stops at the next
/// change of the list instead of reporting that its files are gone.
public enum TemporaryPaths {
  private static let lock = NSLock()
  nonisolated(unsafe) private static var paths: Set<FilePath> = []

  /// Creates something and adds its path, between which the program is not interrupted.
  package static func add<Result, Failure: Error>(
    _ path: FilePath, creating: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lock.lock()
    defer { lock.unlock() }
    let result = try creating()
    _ = unsafe paths.insert(path)
    return result
  }

  /// Removes a path from the list once nothing is there any more.
  package static func remove(_ path: FilePath) { _ = lock.withLock { unsafe paths.remove(path) } }

  /// Calls `body` with a hidden, unused name beside `path`; what is there afterwards is removed.
  package static func withFile<Result>(
    beside path: FilePath, _ body: (FilePath) throws -> Result
  ) rethrows -> Result {
    let name = path.temporarySibling
    add(name) {}
    defer {
      try? FileManager.default.removeItem(atPath: name.string)
      remove(name)
    }
    return try body(name)
  }

  /// Removes a file or folder, after renaming it, so that a partly removed one is never mistaken for a complete one.
  ///
  /// - Parameters:
  ///   - path: What to remove.
  ///   - replace: Puts something else there before anything is removed; if it fails, the old one is back.
  /// - Throws: `FileError`, or what `replace` throws.
  package static func discard(_ path: FilePath, replace: () throws -> Void = {}) throws {
    let aside = path.temporarySibling
    try add(aside) {
      try path.rename(to: aside)
      do { try replace() } catch {
        try aside.rename(to: path)
        throw error
      }
    }
    defer { remove(aside) }
    try FileManager.default.removeItem(atPath: aside.string)
  }

  /// Makes a change during which the program must not be interrupted.
  ///
  /// - Precondition: `body` neither adds nor removes temporary paths.
  package static func uninterrupted<Result, Failure: Error>(
    _ body: () throws(Failure) -> Result
  ) throws(Failure) -> Result {
    lock.lock()
    defer { lock.unlock() }
    return try body()
  }

  /// Removes everything in the list; to be called right before the program ends, because no atomic
  /// file or folder is finished afterwards.
  public static func endWork() {
    lock.lock()
    for path in unsafe paths { remove(fromDisk: path) }
  }

  /// Removes a file or folder in which another thread may be creating files.
  private static func remove(fromDisk path: FilePath) {
    // Under a new name nobody finds the folder again; only what was being created meanwhile can still appear.
    let aside = path.temporarySibling
    guard (try? path.rename(to: aside)) != nil else { return }
    for _ in 0..<100 where !aside.isMissing {
      try? FileManager.default.removeItem(atPath: aside.string)
    }
  }
}
