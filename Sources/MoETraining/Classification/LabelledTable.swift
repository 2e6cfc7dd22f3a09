import MoECore
import SystemPackage

/// A table of texts with classes of their own: a header with `text` and `label`, and `pair` for second texts, in any
/// order among other columns; tab-separated if its name ends in `.tsv`, comma-separated otherwise.
struct LabelledTable {
  /// Most classes that a table may name; more are a sign of the wrong column.
  static let mostClasses = 1_000

  private let path: FilePath
  private let rows: ArraySlice<SeparatedValues.Row>
  private let text: Int
  private let label: Int
  private let pair: Int?

  /// Reads a file.
  ///
  /// - Throws: ``DataError`` for a file without such a header, a row of other length or without a label, or a `FileError`.
  init(_ path: FilePath) throws {
    self.path = path
    let all = try SeparatedValues(path: path, format: path.extension == "tsv" ? .tabs : .commas)
      .rows()
    let header = all[0].values
    guard let text = header.firstIndex(of: "text"), let label = header.firstIndex(of: "label")
    else {
      throw DataError.invalidLine(
        path, line: 1, problem: "is no header with the columns 'text' and 'label'")
    }
    (self.text, self.label, pair) = (text, label, header.firstIndex(of: "pair"))
    rows = all.dropFirst()
    for row in rows {
      guard row.values.count == header.count else {
        throw DataError.invalidLine(
          path, line: row.line,
          problem: "has \(row.values.count) columns; the header has \(header.count)")
      }
      guard row.values[label].contains(where: { !$0.isWhitespace }) else {
        throw DataError.invalidLine(path, line: row.line, problem: "has no label")
      }
    }
  }

  /// The classes of some tables, in the order of their numbers or letters.
  ///
  /// - Throws: ``DataError`` for too many.
  static func classes(of tables: [LabelledTable]) throws -> [String] {
    let names = Set(tables.flatMap { table in table.rows.map { $0.values[table.label] } })
    guard names.count <= mostClasses else {
      throw DataError.invalidLine(
        tables[0].path, line: 1,
        problem:
          "names a column 'label' with \(names.count) different values; at most \(mostClasses) classes are possible"
      )
    }
    return names.sorted { one, other in
      if let a = Int(one), let b = Int(other), a != b { return a < b }
      return one < other
    }
  }

  /// The texts, whose classes must be among the given ones.
  func texts(classes: [String]) throws -> [LabelledText] {
    let places = Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1, $0) })
    return try rows.map { row in
      let name = row.values[label]
      guard let place = places[name] else {
        let known = classes.prefix(8).joined(separator: ", ") + (classes.count > 8 ? ", …" : "")
        throw DataError.invalidLine(
          path, line: row.line,
          problem: "has the label '\(name.prefix(40))'; known are \(known)")
      }
      return LabelledText(
        try checked(row.values[text], row.line),
        second: try pair.map { try checked(row.values[$0], row.line) }, label: place,
        line: row.line)
    }
  }

  private func checked(_ text: String, _ line: Int) throws -> String {
    guard text.contains(where: { !$0.isWhitespace }) else {
      throw DataError.invalidLine(path, line: line, problem: "has an empty text; remove the line")
    }
    return text
  }
}
