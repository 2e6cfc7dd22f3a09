import Foundation
import MoECore
public import MoEModels
public import SystemPackage

/// The formats in which data sets for classification and regression are distributed.
public enum TextDataFormat: String, Hashable, Sendable, CaseIterable {
  /// AG News: comma-separated; class from 1 to 4, then title and description, or both as one text.
  case agNews = "ag_news"
  /// SST-2: tab-separated with a header; the columns `label` (0 or 1) and `sentence` (or `content`) in any order.
  case sst2
  /// STS-B: tab-separated; score from 0 to 5 in column 5, the pair in columns 6 and 7, sources behind it ignored.
  case stsb
  /// HotpotQA: a list of objects with `question` and `type`, or one object per line; told apart are questions that
  /// bridge two articles and those that compare.
  case hotpotQA = "hotpotqa"

  /// What is predicted of texts in this format.
  public var target: ClassifierConfiguration.Target {
    switch self {
    case .agNews: .classes(["World", "Sports", "Business", "Sci/Tech"])
    case .sst2: .classes(["negative", "positive"])
    case .stsb: .score(0...5)
    case .hotpotQA: .classes(["bridge", "comparison"])
    }
  }

  /// Reads a file.
  ///
  /// - Parameters:
  ///   - path: The file.
  ///   - supportingFacts: Whether questions of HotpotQA are read together with the sentences that answer them.
  /// - Returns: All texts, none of them empty.
  /// - Throws: ``DataError`` that names the line, or a `FileError`.
  public func read(_ path: FilePath, supportingFacts: Bool = false) throws -> LabelledTexts {
    let texts =
      switch self {
      case .agNews: try readAGNews(path)
      case .sst2: try readSST2(path)
      case .stsb: try readSTSB(path)
      case .hotpotQA: try HotpotQAReader(path: path, facts: supportingFacts).read()
      }
    return LabelledTexts(path: path, texts: texts, target: target)
  }

  private func readAGNews(_ path: FilePath) throws -> [LabelledText] {
    try SeparatedValues(path: path, format: .commas).rows().map { row in
      guard 2...3 ~= row.values.count else {
        throw DataError.invalidLine(
          path, line: row.line,
          problem: "has \(row.values.count) columns; expected a class and one or two texts")
      }
      guard let number = Int(row.values[0]), 1...4 ~= number else {
        throw DataError.invalidLine(
          path, line: row.line,
          problem: "has the class '\(row.values[0].prefix(40))'; it must be from 1 to 4")
      }
      // The set spells line ends as backslashes.
      let text = row.values.dropFirst().joined(separator: " ").replacing("\\", with: " ")
      return LabelledText(
        try checked(text, path, row.line), label: number - 1, line: row.line)
    }
  }

  private func readSST2(_ path: FilePath) throws -> [LabelledText] {
    let rows = try SeparatedValues(path: path, format: .tabs).rows()
    let header = rows[0].values
    guard let label = header.firstIndex(of: "label"),
      let text = header.firstIndex(where: { $0 == "sentence" || $0 == "content" })
    else {
      throw DataError.invalidLine(
        path, line: 1, problem: "is no header with the columns 'label' and 'sentence'")
    }
    return try rows.dropFirst().map { row in
      guard row.values.count == header.count else {
        throw DataError.invalidLine(
          path, line: row.line,
          problem: "has \(row.values.count) columns; the header has \(header.count)")
      }
      guard let number = Int(row.values[label]), 0...1 ~= number else {
        throw DataError.invalidLine(
          path, line: row.line,
          problem: "has the label '\(row.values[label].prefix(40))'; it must be 0 or 1")
      }
      return LabelledText(
        try checked(row.values[text], path, row.line), label: number, line: row.line)
    }
  }

  private func readSTSB(_ path: FilePath) throws -> [LabelledText] {
    try SeparatedValues(path: path, format: .tabs).rows().map { row in
      guard 7...9 ~= row.values.count else {
        throw DataError.invalidLine(
          path, line: row.line, problem: "has \(row.values.count) columns; expected 7 to 9")
      }
      guard let score = Double(row.values[4]), 0...5 ~= score else {
        throw DataError.invalidLine(
          path, line: row.line,
          problem: "has the score '\(row.values[4].prefix(40))'; it must be from 0 to 5")
      }
      return LabelledText(
        try checked(row.values[5], path, row.line),
        second: try checked(row.values[6], path, row.line), score: score, line: row.line)
    }
  }

  private func checked(_ text: String, _ path: FilePath, _ line: Int) throws -> String {
    guard text.contains(where: { !$0.isWhitespace }) else {
      throw DataError.invalidLine(path, line: line, problem: "has an empty text; remove the line")
    }
    return text
  }
}

/// Reads questions of HotpotQA.
private struct HotpotQAReader {
  let path: FilePath
  /// Whether the sentences that answer the questions are read, too.
  let facts: Bool

  /// A question as the set spells it; other keys are ignored.
  private struct Record: Decodable {
    var question: String
    var type: String
    var supportingFacts: [Fact]?
    var context: [Article]?

    enum CodingKeys: String, CodingKey {
      case question, type, context
      case supportingFacts = "supporting_facts"
    }
  }

  /// A title and the number of a sentence.
  private struct Fact: Decodable {
    var title: String
    var sentence: Int

    init(from decoder: any Decoder) throws {
      var values = try decoder.unkeyedContainer()
      title = try values.decode(String.self)
      sentence = try values.decode(Int.self)
    }
  }

  /// A title and its sentences.
  private struct Article: Decodable {
    var title: String
    var sentences: [String]

    init(from decoder: any Decoder) throws {
      var values = try decoder.unkeyedContainer()
      title = try values.decode(String.self)
      sentences = try values.decode([String].self)
    }
  }

  func read() throws -> [LabelledText] {
    let bytes = try path.textBytes()
    let first = bytes.first { !" \t\r\n".utf8.contains($0) }
    let records = try first == UInt8(ascii: "[") ? list(bytes) : lines(bytes)
    return try records.map(text)
  }

  private func list(_ bytes: [UInt8]) throws -> [(line: Int, record: Record)] {
    do {
      return try JSONDecoder().decode([Record].self, from: Data(bytes)).enumerated().map {
        ($0 + 1, $1)
      }
    } catch let DecodingError.keyNotFound(key, context) {
      let place = (context.codingPath.first?.intValue ?? 0) + 1
      throw invalid(place, "(record) has no '\(key.stringValue)'")
    } catch {
      throw invalid(1, "begins no list of questions with their types; the file is broken")
    }
  }

  private func lines(_ bytes: [UInt8]) throws -> [(line: Int, record: Record)] {
    var records: [(line: Int, record: Record)] = []
    for (number, line) in bytes.split(separator: 10, omittingEmptySubsequences: false).enumerated()
    where line.contains(where: { $0 > 32 }) {
      guard let record = try? JSONDecoder().decode(Record.self, from: Data(line)) else {
        throw invalid(number + 1, "is no JSON object with 'question' and 'type'")
      }
      records.append((number + 1, record))
    }
    guard !records.isEmpty else { throw DataError.empty(path) }
    return records
  }

  private func text(_ line: Int, _ record: Record) throws -> LabelledText {
    guard let label = ["bridge", "comparison"].firstIndex(of: record.type) else {
      throw invalid(
        line, "has the type '\(record.type.prefix(40))'; it must be 'bridge' or 'comparison'")
    }
    guard record.question.contains(where: { !$0.isWhitespace }) else {
      throw invalid(line, "has an empty question; remove it")
    }
    return LabelledText(
      record.question, second: try facts ? sentences(line, record) : nil, label: label, line: line)
  }

  private func sentences(_ line: Int, _ record: Record) throws -> String {
    guard let wanted = record.supportingFacts, let context = record.context else {
      throw invalid(
        line, "has no 'supporting_facts' with 'context'; set data.supporting_facts to false")
    }
    let articles = Dictionary(context.map { ($0.title, $0.sentences) }) { first, _ in first }
    let found = wanted.compactMap { fact -> String? in
      guard let sentences = articles[fact.title], sentences.indices.contains(fact.sentence) else {
        return nil  // The set names a few sentences that its articles do not have.
      }
      return sentences[fact.sentence].trimmingCharacters(in: .whitespaces)
    }
    guard found.contains(where: { !$0.isEmpty }) else {
      throw invalid(line, "names no sentence that its context has")
    }
    return found.joined(separator: " ")
  }

  private func invalid(_ line: Int, _ problem: String) -> DataError {
    .invalidLine(path, line: line, problem: problem)
  }
}
