import Foundation

/// The one way in which values become JSON text: keys in order, so that two files can be compared.
package enum JSONText {
  /// JSON that people can read, indented, with a line end.
  ///
  /// - Throws: `EncodingError` for numbers that JSON does not have.
  package static func pretty(_ value: some Encodable) throws -> String {
    try text(value, [.prettyPrinted]) + "\n"
  }

  /// JSON on one line, without a line end.
  ///
  /// - Throws: `EncodingError` for numbers that JSON does not have.
  package static func line(_ value: some Encodable) throws -> String { try text(value, []) }

  private static func text(
    _ value: some Encodable, _ formatting: JSONEncoder.OutputFormatting
  ) throws -> String {
    let encoder = JSONEncoder()
    encoder.outputFormatting = formatting.union([.sortedKeys, .withoutEscapingSlashes])
    return String(decoding: try encoder.encode(value), as: UTF8.self)
  }
}

extension String {
  /// The text as a quoted JSON string, with only the necessary escapes.
  package var jsonQuoted: String {
    var result = "\""
    for scalar in unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case "\n": result += "\\n"
      case "\r": result += "\\r"
      case "\t": result += "\\t"
      case "\u{8}": result += "\\b"
      case "\u{C}": result += "\\f"
      case "\u{0}"..<"\u{20}":
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }
}
