import Foundation
public import SystemPackage

#if canImport(Glibc)
import Glibc
#elseif canImport(Darwin)
import Darwin
#endif

/// A folder that appears with all its files or not at all.
public enum AtomicDirectory {
  /// Creates a folder with what `body` writes into it.
  ///
  /// `body` receives the path of a hidden temporary folder beside `path`, which is renamed at the end.
  /// Only a killed process can leave that folder behind; its name ends in `.partial`.
  ///
  /// - Throws: ``FileError/notAnEmptyDirectory(_:)`` when `path` exists and is not an empty folder, any
  ///   other ``FileError``, or what `body` throws; nothing is left behind then.
  public static func write<Result>(
    to path: FilePath, _ body: (FilePath) throws -> Result
  ) throws -> Result {
    guard path.isMissingOrEmptyDirectory else { throw FileError.notAnEmptyDirectory(path) }
    let temporary = path.temporarySibling
    guard unsafe temporary.withPlatformString({ unsafe mkdir($0, 0o755) }) == 0 else {
      throw FileError(operation: "mkdir", path: path, code: errno)
    }
    do {
      let result = try body(temporary)
      try temporary.synchronize()
      try temporary.rename(to: path)
      try path.folder.synchronize()
      return result
    } catch {
      try? FileManager.default.removeItem(atPath: temporary.string)
      throw error
    }
  }
}
