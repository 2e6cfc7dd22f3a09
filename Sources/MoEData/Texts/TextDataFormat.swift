import Foundation
import MoECore
public import MoEModels
public import SystemPackage

/// The formats in which data sets for classification and regression are distributed.
public enum TextDataFormat: String, Hashable, Sendable, CaseIterable {
  /// AG News: comma-separated; class from 1 to 4, then title and description, or both as one text. A header may come
  /// first: with `Class Index` as in some copies, or with `label` for classes from 0 to 3.
  case agNews = "ag_news"
  /// SST-2: tab-separated with a header; the columns `label` (0 or 1) and `sentence` (or `content`) in any order.
  case sst2
  /// STS-B: tab-separated; score from 0 to 5 in column 5, the pair in columns 6 and 7, later
  /// columns ignored. Or with a header, as in GLUE: the columns `score`, `sentence1` and
  /// `sentence2` in any order.
  case stsb
  /// HotpotQA: a list of objects with `question` and `type`, or one object per line; the classes
  /// are *bridge* and *comparison* questions.
  case hotpotQA = "hotpotqa"
  /// Texts with custom classes: comma-separated, or tab-separated if the name ends in `.tsv`, with
  /// a header that has the columns `text` and `label`, and `pair` for second texts.
  case table

  /// The target of texts in this format; `nil` if it depends on the texts.
  public var target: ClassifierConfiguration.Target? { single(supportingFacts: false)?.target }

  /// The target, and how a file is read; `nil` for tables, whose classes depend on all files
  /// together.
  private func single(
    supportingFacts: Bool
  ) -> (target: ClassifierConfiguration.Target, texts: (FilePath) throws -> [LabelledText])? {
    switch self {
    case .agNews: (.classes(["World", "Sports", "Business", "Sci/Tech"]), readAGNews)
    case .sst2: (.classes(["negative", "positive"]), readSST2)
    case .stsb: (.score(0...5), readSTSB)
    case .hotpotQA:
      (
        .classes(["bridge", "comparison"]),
        { try HotpotQAReader(path: $0, facts: supportingFacts).read() }
      )
    case .table: nil
    }
  }

  /// Reads a file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - supportingFacts: Whether HotpotQA questions are read together with the sentences that
  ///     answer them.
  ///   - classes: For a table, the allowed classes; `nil` for those that occur.
  /// - Returns: All texts, none of them empty.
  /// - Throws: ``DataError`` that names the line, or a `FileError`.
  public func read(
    _ path: FilePath, supportingFacts: Bool = false, classes: [String]? = nil
  ) throws -> LabelledTexts {
    try read([path], supportingFacts: supportingFacts, classes: classes)
  }

  /// Reads several files as one source; labels of tables name the classes of all.
  ///
  /// - Precondition: There is at least one.
  package func read(
    _ paths: [FilePath], supportingFacts: Bool, classes: [String]?
  ) throws -> LabelledTexts {
    guard let single = single(supportingFacts: supportingFacts) else {
      return try LabelledTable.texts(of: paths, classes: classes)
    }
    return LabelledTexts(
      joining: try paths.map {
        try LabelledTexts(path: $0, texts: single.texts($0), target: single.target).filled()
      })
  }

  private func readAGNews(_ path: FilePath) throws -> [LabelledText] {
    let table = SeparatedValues(path: path, format: .commas)
    let rows = try table.rows()
    let columns = AGNewsColumns(rows[0].values)
    return try rows.dropFirst(columns.isHeader ? 1 : 0).map { row in
      guard columns.counts ~= row.values.count else {
        throw DataError.invalidLine(
          path, line: row.line,
          problem:
            "has \(NumberText.counted(row.values.count, "column")); expected a class and one or two texts"
        )
      }
      let value = row.values[columns.label]
      guard let number = Int(value), columns.classes ~= number else {
        let (first, last) = (columns.classes.lowerBound, columns.classes.upperBound)
        throw DataError.invalidLine(
          path, line: row.line,
          problem: "has the class '\(value.prefix(40))'; it must be from \(first) to \(last)")
      }
      var texts = row.values
      texts.remove(at: columns.label)
      // The data set writes line ends as backslashes.
      let text = texts.joined(separator: " ").replacing("\\", with: " ")
      return LabelledText(
        try table.text(text, of: row), label: number - columns.classes.lowerBound,
        line: row.line)
    }
  }

  private func readSST2(_ path: FilePath) throws -> [LabelledText] {
    let table = SeparatedValues(path: path, format: .tabs)
    let rows = try table.rows()
    let header = rows[0].values
    guard let label = header.firstIndex(of: "label"),
      let text = header.firstIndex(where: { $0 == "sentence" || $0 == "content" })
    else {
      throw DataError.invalidLine(
        path, line: 1, problem: "is not a header with the columns 'label' and 'sentence'")
    }
    return try rows.dropFirst().map { row in
      try table.check(row, header: header)
      guard let number = Int(row.values[label]), 0...1 ~= number else {
        throw DataError.invalidLine(
          path, line: row.line,
          problem: "has the label '\(row.values[label].prefix(40))'; it must be 0 or 1")
      }
      return LabelledText(
        try table.text(row.values[text], of: row), label: number, line: row.line)
    }
  }

  private func readSTSB(_ path: FilePath) throws -> [LabelledText] {
    let table = SeparatedValues(path: path, format: .tabs)
    let rows = try table.rows()
    let columns = try STSBColumns(rows[0].values, path)
    return try rows.dropFirst(columns.isHeader ? 1 : 0).map { row in
      if columns.isHeader { try table.check(row, header: rows[0].values) }
      guard columns.counts ~= row.values.count else {
        let (least, most) = (columns.counts.lowerBound, columns.counts.upperBound)
        throw DataError.invalidLine(
          path, line: row.line,
          problem:
            "has \(NumberText.counted(row.values.count, "column")); expected \(least) to \(most)")
      }
      let value = row.values[columns.score]
      guard let score = Double(value), 0...5 ~= score else {
        throw DataError.invalidLine(
          path, line: row.line,
          problem: "has the score '\(value.prefix(40))'; it must be from 0 to 5")
      }
      return LabelledText(
        try table.text(row.values[columns.first], of: row),
        second: try table.text(row.values[columns.second], of: row), score: score,
        line: row.line)
    }
  }
}
