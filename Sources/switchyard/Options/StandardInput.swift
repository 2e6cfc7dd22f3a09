import Foundation
import MoECore
import SystemPackage

/// Standard input, which commands read where `-` stands for a file.
enum StandardInput {
  /// The word that stands for it.
  static let name: FilePath = "-"

  /// What messages call it.
  private static let title: FilePath = "standard input"

  nonisolated(unsafe) private static var spool: SpooledBytes?

  /// A file with what standard input holds if the path is `-`, or else the path itself.
  ///
  /// Texts are mapped and read in parts, which a pipe does not allow; so it is copied to an unnamed file in the
  /// temporary folder first, which is gone when the program ends.
  ///
  /// - Throws: `FileError` when it cannot be read, or there is no room for it.
  static func file(for path: FilePath) throws -> FilePath {
    guard path == name else { return path }
    if let spool = unsafe spool { return spool.openFile }
    let new = try SpooledBytes(beside: FilePath(NSTemporaryDirectory()).appending("input"))
    while case let block = try block(), !block.isEmpty { try new.append(block) }
    try new.flush()
    unsafe spool = new
    return new.openFile
  }

  /// All bytes that are left.
  ///
  /// - Throws: `FileError` when it cannot be read, or is longer than texts may be.
  static func bytes() throws(FileError) -> [UInt8] {
    var bytes: [UInt8] = []
    while case let block = try block(), !block.isEmpty {
      bytes += block
      guard bytes.count <= FileLimit.text else {
        throw .tooLarge(title, bytes: bytes.count, limit: FileLimit.text)
      }
    }
    return bytes
  }

  /// Calls `body` with one line after another, without their line ends, as soon as each has been read.
  ///
  /// - Throws: `FileError` when it cannot be read, or a line is longer than a text that is read at once may be; what
  ///   `body` throws.
  static func forEachLine(_ body: ([UInt8]) throws -> Void) throws {
    var pending: [UInt8] = []
    while case let block = try block(), !block.isEmpty {
      // Only the new bytes can hold a line end.
      let searched = pending.count
      pending += block
      var start = 0
      while let end = pending[max(start, searched)...].firstIndex(of: UInt8(ascii: "\n")) {
        try body(line(pending[start..<end]))
        start = end + 1
      }
      pending.removeFirst(start)
      guard pending.count <= FileLimit.undividedText else {
        throw FileError.tooLarge(
          FilePath("a line of \(title)"), bytes: pending.count, limit: FileLimit.undividedText)
      }
    }
    if !pending.isEmpty { try body(line(pending[...])) }
  }

  private static func line(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    Array(bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes)
  }

  /// The bytes that come next, as many as there are; none at the end.
  private static func block() throws(FileError) -> [UInt8] {
    while true {
      var code: CInt = 0
      let block = unsafe [UInt8](unsafeUninitializedCapacity: 1 << 16) { buffer, count in
        let found = unsafe read(STDIN_FILENO, buffer.baseAddress, buffer.count)
        if found < 0 { code = errno }
        count = max(0, found)
      }
      if code == EINTR { continue }
      guard code == 0 else { throw FileError(operation: "reading", path: title, code: code) }
      return block
    }
  }
}
