import Foundation
import MoECore
import MoEData
import SystemPackage

/// The text of a file, or of standard input for `-`, which must be UTF-8.
///
/// - Throws: `DataError` that names the line, or a `FileError`.
func readText(_ path: FilePath) throws -> String {
  guard path == "-" else { return String(decoding: try path.textBytes(), as: UTF8.self) }
  let bytes = Array(
    try FileHandle.standardInput.read(upToCount: FileLimit.text + 1) ?? Data())
  guard bytes.count <= FileLimit.text else {
    throw FileError.tooLarge("standard input", bytes: bytes.count, limit: FileLimit.text)
  }
  guard let text = String(validating: bytes, as: UTF8.self) else {
    throw TextError(path: "standard input", problem: "is not UTF-8 text; convert it first")
  }
  guard !text.isEmpty else { throw TextError(path: "standard input", problem: "is empty") }
  return text.hasPrefix("\u{FEFF}") ? String(text.unicodeScalars.dropFirst()) : text
}

/// The lines of standard input, one after another, without their line ends.
struct InputLines: Sequence, IteratorProtocol {
  private var pending: [UInt8] = []
  private var start = 0
  private var isAtEnd = false

  /// The bytes of the next line; `nil` after the last one.
  mutating func next() -> [UInt8]? {
    while true {
      if let end = pending[start...].firstIndex(of: UInt8(ascii: "\n")) {
        defer { start = end + 1 }
        return Self.line(pending[start..<end])
      }
      pending.removeFirst(start)
      start = 0
      if isAtEnd {
        guard !pending.isEmpty else { return nil }
        defer { pending = [] }
        return Self.line(pending[...])
      }
      let data = FileHandle.standardInput.availableData
      isAtEnd = data.isEmpty
      pending += data
    }
  }

  private static func line(_ bytes: ArraySlice<UInt8>) -> [UInt8] {
    Array(bytes.last == UInt8(ascii: "\r") ? bytes.dropLast() : bytes)
  }
}

/// A file that does not contain the required text.
struct TextError: Error, CustomStringConvertible {
  var path: FilePath
  var problem: String
  var description: String { "\(path) \(problem)".printable }
}
