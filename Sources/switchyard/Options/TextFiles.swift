import Foundation
import MoECore
import MoEData
import SystemPackage

/// The text of a file, or of standard input for `-`, which must be UTF-8.
///
/// - Throws: `DataError` that names the line, or a `FileError`.
func readText(_ path: FilePath) throws -> String {
  guard path == StandardInput.name else {
    return String(decoding: try path.textBytes(), as: UTF8.self)
  }
  let bytes = try StandardInput.bytes()
  guard let text = String(validating: bytes, as: UTF8.self) else {
    throw TextError(path: "standard input", problem: "is not UTF-8 text; convert it first")
  }
  guard !text.isEmpty else { throw TextError(path: "standard input", problem: "is empty") }
  return text.hasPrefix("\u{FEFF}") ? String(text.unicodeScalars.dropFirst()) : text
}

/// A file that does not contain the required text.
struct TextError: Error, CustomStringConvertible {
  var path: FilePath
  var problem: String
  var description: String { "\(path) \(problem)".printable }
}
