import MoECore
import MoEData
import SystemPackage

/// The text of a file, which must be UTF-8.
///
/// - Throws: `DataError` that names the line, or a `FileError`.
func readText(_ path: FilePath) throws -> String {
  String(decoding: try path.textBytes(), as: UTF8.self)
}

/// A file that does not contain the required text.
struct TextError: Error, CustomStringConvertible {
  var path: FilePath
  var problem: String
  var description: String { "\(path) \(problem)".printable }
}
