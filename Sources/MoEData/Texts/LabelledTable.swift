import MoECore
import MoEModels
import SystemPackage

/// A table of texts with custom classes.
///
/// It has a header with `text` and `label`, and `pair` for second texts, in any order among other
/// columns. It is tab-separated if its name ends in `.tsv`, comma-separated otherwise. White space
/// around a label does not belong to it.
struct LabelledTable {
  /// Maximum number of classes of a table; more suggest the wrong column.
  static let mostClasses = 1_000

  private let values: SeparatedValues
  private let rows: ArraySlice<SeparatedValues.Row>
  private let text: Int
  private let label: Int
  private let pair: Int?

  /// Reads a file.
  ///
  /// - Throws: ``DataError`` for a file without such a header, a row of other length or without a label, or a `FileError`.
  init(_ path: FilePath) throws {
    values = SeparatedValues(path: path, format: path.extension == "tsv" ? .tabs : .commas)
    let all = try values.rows()
    let header = all[0].values
    guard let text = header.firstIndex(of: "text"), let label = header.firstIndex(of: "label")
    else {
      throw DataError.invalidLine(
        path, line: 1, problem: "is not a header with the columns 'text' and 'label'")
    }
    (self.text, self.label, pair) = (text, label, header.firstIndex(of: "pair"))
    rows = all.dropFirst()
    for row in rows {
      try values.check(row, header: header)
      guard !name(of: row).isEmpty else {
        throw DataError.invalidLine(path, line: row.line, problem: "has no label")
      }
    }
  }

  /// Reads tables as one source.
  ///
  /// - Parameters:
  ///   - paths: The files, at least one.
  ///   - classes: The allowed classes; `nil` for those that occur.
  /// - Returns: All texts, none of them empty.
  /// - Throws: ``DataError`` that names the line, or a `FileError`.
  static func texts(of paths: [FilePath], classes: [String]?) throws -> LabelledTexts {
    let tables = try paths.map(LabelledTable.init)
    let classes = try classes ?? Self.classes(of: tables)
    return LabelledTexts(
      joining: try tables.map {
        let texts = try $0.texts(classes: classes)
        return try LabelledTexts(
          path: $0.values.path, texts: texts, target: .classes(classes)
        ).filled()
      })
  }

  /// The classes of some tables, in the order of their numbers or letters.
  ///
  /// - Throws: ``DataError`` for too many.
  private static func classes(of tables: [LabelledTable]) throws -> [String] {
    let names = Set(tables.flatMap { table in table.rows.map(table.name) })
    guard names.count <= mostClasses else {
      throw DataError.invalidLine(
        tables[0].values.path, line: 1,
        problem:
          "names a column 'label' with \(names.count) different values; at most \(mostClasses) classes are possible"
      )
    }
    return names.sorted { one, other in
      if let a = Int(one), let b = Int(other), a != b { return a < b }
      return one < other
    }
  }

  /// The class of a row.
  private func name(of row: SeparatedValues.Row) -> String {
    let value = row.values[label]
    guard let first = value.firstIndex(where: { !$0.isWhitespace }),
      let last = value.lastIndex(where: { !$0.isWhitespace })
    else { return "" }
    return String(value[first...last])
  }

  /// The texts, whose classes must be among the given ones.
  private func texts(classes: [String]) throws -> [LabelledText] {
    let places = Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1, $0) })
    return try rows.map { row in
      let name = name(of: row)
      // A model may know classes whose names have such space.
      guard let place = places[row.values[label]] ?? places[name] else {
        let known = classes.prefix(8).joined(separator: ", ") + (classes.count > 8 ? ", …" : "")
        throw DataError.invalidLine(
          values.path, line: row.line,
          problem: "has the label '\(name.prefix(40))'; known are \(known)")
      }
      return LabelledText(
        try values.text(row.values[text], of: row),
        second: try pair.map { try values.text(row.values[$0], of: row) }, label: place,
        line: row.line)
    }
  }
}
