import Foundation
import SystemPackage

/// What killed processes left behind: hidden files and folders not yet renamed to their final
/// names.
enum Leftovers {
  /// Removes them from a folder.
  ///
  /// - Precondition: No other process uses the folder.
  static func remove(in folder: FilePath) {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.string)) ?? []
    for name in names where name.hasPrefix(".") && name.hasSuffix(".partial") {
      try? FileManager.default.removeItem(atPath: folder.appending(name).string)
    }
  }
}
