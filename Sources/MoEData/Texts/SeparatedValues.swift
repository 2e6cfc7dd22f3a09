import MoECore
import SystemPackage

/// A strict reader of comma- or tab-separated values in UTF-8.
///
/// Comma-separated values follow RFC 4180: a value may be in double quotes, which are doubled
/// inside, and may then contain separators and line ends. Tab-separated values have no quotes; a
/// quote is a character like any other. Lines end with LF or CRLF.
package struct SeparatedValues {
  enum Format {
    case commas
    case tabs
  }

  /// A row and the line on which it begins, from 1.
  struct Row {
    var line: Int
    var values: [String]
  }

  let path: FilePath
  let format: Format

  /// Reads all rows; empty lines at the end are ignored.
  ///
  /// - Throws: ``DataError`` that names the line, or a `FileError`.
  /// - Complexity: O(bytes).
  func rows() throws -> [Row] {
    let bytes = try path.textBytes()
    var (rows, place, line) = ([Row](), 0, 1)
    while place < bytes.count {
      let start = line
      var values: [String] = []
      repeat {
        values.append(try value(bytes, &place, &line))
      } while taken(separator, bytes, &place)
      guard place == bytes.count || tookLineEnd(bytes, &place) else {
        throw DataError.invalidLine(
          path, line: line,
          problem: "continues after a closing quote; double the quotes inside values")
      }
      rows.append(Row(line: start, values: values))
      line += 1
    }
    while let last = rows.last, last.values == [""] { rows.removeLast() }
    guard !rows.isEmpty else { throw DataError.empty(path) }
    return rows
  }

  /// Rejects a row whose number of values differs from the header's.
  func check(_ row: Row, header: [String]) throws(DataError) {
    guard row.values.count == header.count else {
      throw .invalidLine(
        path, line: row.line,
        problem:
          "has \(NumberText.counted(row.values.count, "column")); the header has \(header.count)")
    }
  }

  /// A text of a row, which must not be empty.
  func text(_ text: String, of row: Row) throws(DataError) -> String {
    guard text.contains(where: { !$0.isWhitespace }) else {
      throw .invalidLine(path, line: row.line, problem: "has an empty text; remove the line")
    }
    return text
  }

  /// A value as comma-separated values hold it: in quotes if it contains a separator, a quote or a
  /// line end, or if its spaces could be taken for padding.
  ///
  /// Special is the scalar: a combining mark after a quote makes them one character, in which
  /// readers, who look at bytes, still see the quote.
  package static func quoted(_ value: String) -> String {
    let scalars = value.unicodeScalars
    let isSpecial = scalars.contains { ",\"\r\n".unicodeScalars.contains($0) }
    guard isSpecial || scalars.first == " " || scalars.last == " " else { return value }
    var result = "\"".unicodeScalars
    for scalar in scalars { result += scalar == "\"" ? [scalar, scalar] : [scalar] }
    return String(result + ["\""])
  }

  private var separator: UInt8 { format == .commas ? UInt8(ascii: ",") : UInt8(ascii: "\t") }

  private func taken(_ byte: UInt8, _ bytes: [UInt8], _ place: inout Int) -> Bool {
    guard place < bytes.count, bytes[place] == byte else { return false }
    place += 1
    return true
  }

  private func tookLineEnd(_ bytes: [UInt8], _ place: inout Int) -> Bool {
    if place + 1 < bytes.count, bytes[place] == 13, bytes[place + 1] == 10 {
      place += 2
      return true
    }
    return taken(10, bytes, &place)
  }

  private func value(_ bytes: [UInt8], _ place: inout Int, _ line: inout Int) throws -> String {
    if format == .commas, place < bytes.count, bytes[place] == Self.quote {
      return try quoted(bytes, &place, &line)
    }
    let start = place
    while place < bytes.count, bytes[place] != separator, bytes[place] != 10 {
      guard format == .tabs || bytes[place] != Self.quote else {
        throw DataError.invalidLine(
          path, line: line,
          problem: "has a quote inside a value that does not begin with one; quote the whole value")
      }
      place += 1
    }
    var end = place
    let endsLine = place == bytes.count || bytes[place] == 10
    if endsLine, end > start, bytes[end - 1] == 13 { end -= 1 }
    // The caller handles line ends of two bytes.
    if end < place, place < bytes.count { place = end }
    return String(decoding: bytes[start..<end], as: UTF8.self)
  }

  private static let quote = UInt8(ascii: "\"")

  private func quoted(_ bytes: [UInt8], _ place: inout Int, _ line: inout Int) throws -> String {
    let first = line
    var text: [UInt8] = []
    place += 1
    while place < bytes.count {
      let byte = bytes[place]
      place += 1
      if byte == Self.quote {
        guard taken(Self.quote, bytes, &place) else {
          return String(decoding: text, as: UTF8.self)
        }
      }
      if byte == 10 { line += 1 }
      text.append(byte)
    }
    throw DataError.invalidLine(
      path, line: first, problem: "opens a quote that is never closed; close it")
  }
}
