import Foundation
import MoECore
import SystemPackage

/// Standard input, which commands read where `-` stands for a file.
enum StandardInput {
  /// The word that stands for it.
  static let name: FilePath = "-"

  nonisolated(unsafe) private static var spool: SpooledBytes?

  /// A file with what standard input holds if the path is `-`, or else the path itself.
  ///
  /// Texts are mapped and read in parts, which a pipe does not allow; so it is copied to an unnamed file in the
  /// temporary folder first, which is gone when the program ends.
  ///
  /// - Throws: `FileError` when there is no room for it.
  static func file(for path: FilePath) throws -> FilePath {
    guard path == name else { return path }
    if let spool = unsafe spool { return spool.openFile }
    let new = try SpooledBytes(beside: FilePath(NSTemporaryDirectory()).appending("input"))
    while let part = try FileHandle.standardInput.read(upToCount: 1 << 20), !part.isEmpty {
      try new.append([UInt8](part))
    }
    try new.flush()
    unsafe spool = new
    return new.openFile
  }
}
