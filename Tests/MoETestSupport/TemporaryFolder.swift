import Foundation
package import SystemPackage

/// A folder that is deleted with its contents when the object is released.
package final class TemporaryFolder: Sendable {
  package let path: FilePath

  package init() throws {
    path = FilePath(NSTemporaryDirectory()).appending("switchyard-tests-\(UUID().uuidString)")
    try FileManager.default.createDirectory(atPath: path.string, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(atPath: path.string) }

  /// A path in the folder.
  package func file(_ name: String) -> FilePath { path.appending(name) }

  /// Names of everything in the folder, hidden files too, in order.
  package func contents() throws -> [String] {
    try FileManager.default.contentsOfDirectory(atPath: path.string).sorted()
  }

  /// Creates a file of zeros that takes no room on the disk.
  package func sparseFile(bytes: Int, at name: String) throws -> FilePath {
    let path = try write([], to: name)
    let file = try FileHandle(forWritingTo: URL(filePath: path.string))
    try file.truncate(atOffset: UInt64(bytes))
    try file.close()
    return path
  }

  /// Creates a file with the given bytes.
  package func write(_ bytes: [UInt8], to name: String) throws -> FilePath {
    let path = file(name)
    try Data(bytes).write(to: URL(filePath: path.string))
    return path
  }
}

/// The bytes of a file.
package func readBytes(_ path: FilePath) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: URL(filePath: path.string)))
}
