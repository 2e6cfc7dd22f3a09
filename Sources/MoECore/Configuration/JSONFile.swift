package import Foundation
package import SystemPackage

extension MappedFile {
  /// The value in a file that holds one JSON document.
  ///
  /// - Parameters:
  ///   - type: The type of the value.
  ///   - expected: What the file should be, to follow "expected": "the record of a run".
  /// - Returns: The value.
  /// - Throws: ``ConfigurationError`` that names the file, the line or key, and what was expected.
  package func json<Value: Decodable>(
    _ type: Value.Type, expected: String
  ) throws(ConfigurationError) -> Value {
    do throws(FileError) { try check(FileLimit.json) } catch {
      throw .invalidJSON(path: path, message: "expected \(expected), but \(error)")
    }
    return try JSONText.value(type, in: withBytes { $0.data }, of: path, expected: expected)
  }
}

extension JSONText {
  /// The value of a JSON text that a file contains.
  ///
  /// - Parameters:
  ///   - type: The type of the value.
  ///   - bytes: The text.
  ///   - path: The file, for messages.
  ///   - line: The line of the file in which the text stands, if it is one of many.
  ///   - expected: What the text should be, to follow "expected".
  /// - Returns: The value.
  /// - Throws: ``ConfigurationError`` that names the file, the line or key, and what was expected.
  package static func value<Value: Decodable>(
    _ type: Value.Type, in bytes: Data, of path: FilePath, line: Int? = nil, expected: String
  ) throws(ConfigurationError) -> Value {
    let problem: String
    switch Result(catching: { try JSONDecoder().decode(type, from: bytes) }) {
    case .success(let value): return value
    case .failure(let error):
      problem =
        (error as? DecodingError)?.problem(in: [UInt8](bytes)) ?? "it cannot be decoded"
    }
    let place = line.map { "line \($0): " } ?? ""
    throw .invalidJSON(path: path, message: "\(place)expected \(expected), but \(problem)")
  }
}

extension DecodingError {
  /// What is wrong, and where in the text.
  fileprivate func problem(in bytes: [UInt8]) -> String {
    var parser = JSONParser(bytes)
    let syntax: String?
    do {
      _ = try parser.document()
      syntax = nil
    } catch { syntax = "it is \(error.description(in: bytes))" }
    if let syntax { return syntax }
    // Foundation calls well-formed text corrupt when a number does not fit its type, and names no key.
    if case .dataCorrupted(let context) = self, context.codingPath.isEmpty {
      return
        "a number in it does not fit where it stands, such as a fraction where an integer belongs"
    }
    return problem
  }

  /// What is wrong and with which key.
  package var problem: String {
    func key(_ parts: [any CodingKey]) -> String {
      let text = parts.reduce(into: "") { text, part in
        if let index = part.intValue {
          text += "[\(index)]"
        } else {
          text += (text.isEmpty ? "" : ".") + part.stringValue
        }
      }
      return text.isEmpty ? "it" : "'\(text)'"
    }
    return switch self {
    case .keyNotFound(let name, let context): "\(key(context.codingPath + [name])) is missing"
    case .typeMismatch(_, let context): "\(key(context.codingPath)) has the wrong type"
    case .valueNotFound(_, let context): "\(key(context.codingPath)) is null"
    case .dataCorrupted(let context):
      context.codingPath.isEmpty
        ? context.debugDescription : "\(key(context.codingPath)): \(context.debugDescription)"
    @unknown default: "it is broken"
    }
  }
}
