package import Foundation

extension MappedFile {
  /// The value in a file that may hold one of several forms, to try one after another.
  ///
  /// - Throws: `DecodingError`; callers say what the file should be. ``FileError`` if it is too large.
  package func json<Value: Decodable>(_ type: Value.Type) throws -> Value {
    try check(FileLimit.json)
    return try JSONDecoder().decode(type, from: withBytes { $0.data })
  }
}

extension RawSpan {
  /// A copy for Foundation.
  package var data: Data { unsafe withUnsafeBytes { unsafe Data($0) } }
}
