import Foundation
import MoECore
import SystemPackage

/// A folder for files that are needed for a moment only.
struct ScratchFolder {
  let path: FilePath

  /// Creates an empty folder.
  init() throws {
    path = FilePath(NSTemporaryDirectory()).appending("switchyard-\(UUID().uuidString)")
    try TemporaryPaths.add(path) { [path] in
      try FileManager.default.createDirectory(
        atPath: path.string, withIntermediateDirectories: true)
    }
  }

  func remove() {
    try? FileManager.default.removeItem(atPath: path.string)
    TemporaryPaths.remove(path)
  }
}
