package import Foundation

extension MappedFile {
  /// The value in a file that holds one JSON document.
  ///
  /// - Throws: `DecodingError`; callers say what the file should be.
  package func json<Value: Decodable>(_ type: Value.Type) throws -> Value {
    try JSONDecoder().decode(type, from: withBytes { $0.data })
  }
}

extension RawSpan {
  /// A copy for Foundation.
  package var data: Data { unsafe withUnsafeBytes { unsafe Data($0) } }
}
