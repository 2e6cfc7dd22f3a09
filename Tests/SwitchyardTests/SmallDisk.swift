import Foundation
import MoETestSupport
import SystemPackage

/// A file system in memory that is soon full.
final class SmallDisk {
  private let folder: TemporaryFolder
  var path: FilePath { folder.path }

  /// Whether this user may mount file systems.
  static var isPossible: Bool {
    guard geteuid() == 0, let disk = try? SmallDisk(kilobytes: 16) else { return false }
    return FileManager.default.isWritableFile(atPath: disk.path.string)
  }

  struct Refused: Error {}

  init(kilobytes: Int) throws {
    folder = try TemporaryFolder()
    guard
      try Self.run("mount", "-t", "tmpfs", "-o", "size=\(kilobytes)k", "tmpfs", folder.path.string)
        == 0
    else { throw Refused() }
  }

  deinit { _ = try? Self.run("umount", folder.path.string) }

  private static func run(_ arguments: String...) throws -> Int32 {
    let process = Process()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = arguments
    process.standardError = FileHandle.nullDevice
    try process.run()
    process.waitUntilExit()
    return process.terminationStatus
  }
}
