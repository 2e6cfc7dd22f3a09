import Foundation
import MoECore

/// Decodes lines of JSON as Python writes them: with NaN and Infinity, which JSON does not have.
///
/// So a number that is not finite is found by what it means, a weight for example, not by its spelling.
struct LineDecoder {
  private let strict = JSONDecoder()
  private let lenient = JSONDecoder()

  init() { lenient.allowsJSON5 = true }

  /// The value of a line; `nil` if it is not one.
  func decode<Value: Decodable>(_ type: Value.Type, from line: RawSpan) -> Value? {
    let data = line.data
    if let value = try? strict.decode(type, from: data) { return value }
    let text = String(decoding: data, as: UTF8.self)
    guard text.contains("NaN") || text.contains("Infinity") else { return nil }
    return try? lenient.decode(type, from: data)
  }
}
