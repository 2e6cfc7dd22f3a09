import Foundation
import MoECore
import SystemPackage

/// An article's title and what is known about the article.
private protocol TitledEntry {
  associatedtype Value: Decodable
  /// The property that holds the values where titles and values are separate lists.
  static var column: String { get }
  init(title: String, value: Value)
}

/// Reads HotpotQA questions.
struct HotpotQAReader {
  private let path: FilePath
  /// Whether the sentences that answer the questions are read, too.
  private let facts: Bool
  private let bytes: [UInt8]
  /// Whether the file is one list, whose records are identified by number instead of line.
  private let isList: Bool

  /// Reads the file.
  ///
  /// - Throws: ``DataError`` for text that is not UTF-8, or a `FileError`.
  init(path: FilePath, facts: Bool) throws {
    (self.path, self.facts, bytes) = (path, facts, try path.textBytes())
    isList = bytes.first { !" \t\r\n".utf8.contains($0) } == UInt8(ascii: "[")
  }

  /// A question in the data set's format, or as Hugging Face's copy has it; other keys are ignored.
  private struct Record: Decodable {
    var question: String
    var type: String
    var supportingFacts: Entries<Fact>?
    var context: Entries<Article>?

    enum CodingKeys: String, CodingKey {
      case question, type, context
      case supportingFacts = "supporting_facts"
    }
  }

  /// A list of entries, or an object with a list per property, as tables store it.
  private struct Entries<Entry: TitledEntry>: Decodable {
    var entries: [Entry]

    init(from decoder: any Decoder) throws {
      if let list = try? decoder.singleValueContainer().decode([Pair].self) {
        entries = list.map { Entry(title: $0.title, value: $0.value) }
        return
      }
      let columns = try decoder.container(keyedBy: ColumnKey.self)
      let titles = try columns.decode([String].self, forKey: ColumnKey(stringValue: "title"))
      let key = ColumnKey(stringValue: Entry.column)
      let values = try columns.decode([Entry.Value].self, forKey: key)
      guard titles.count == values.count else {
        throw UnequalColumns(
          record: decoder.codingPath.first?.intValue,
          problem:
            "has \(NumberText.counted(titles.count, "title")), but \(values.count) of '\(Entry.column)', in '\(decoder.codingPath.last?.stringValue ?? "")'; one is expected for each title"
        )
      }
      entries = zip(titles, values).map(Entry.init)
    }

    /// A title and its value, as a list of two.
    private struct Pair: Decodable {
      var title: String
      var value: Entry.Value

      init(from decoder: any Decoder) throws {
        var values = try decoder.unkeyedContainer()
        title = try values.decode(String.self)
        value = try values.decode(Entry.Value.self)
      }
    }
  }

  /// Lists of titles and values that do not belong together.
  private struct UnequalColumns: Error {
    /// The record's place in the list, if the file is one.
    var record: Int?
    var problem: String
  }

  private struct ColumnKey: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(stringValue: String) { self.stringValue = stringValue }
    init?(intValue: Int) { nil }
  }

  /// A title and the index of a sentence.
  private struct Fact: TitledEntry {
    static let column = "sent_id"
    var title: String
    var value: Int
  }

  /// A title and its sentences.
  private struct Article: TitledEntry {
    static let column = "sentences"
    var title: String
    var value: [String]
  }

  func read() throws -> [LabelledText] {
    try (isList ? list() : lines()).map(text)
  }

  private func list() throws -> [(line: Int, record: Record)] {
    do {
      return try JSONDecoder().decode([Record].self, from: Data(bytes)).enumerated().map {
        ($0 + 1, $1)
      }
    } catch let error as UnequalColumns {
      throw invalid((error.record ?? 0) + 1, error.problem)
    } catch let error as DecodingError {
      throw located(error)
        ?? DataError.invalidLine(
          path, line: 1,
          problem: "does not begin a list of questions with their types; the file is broken"
        )
    }
  }

  /// The number of the record that could not be decoded, and why; `nil` if the error is elsewhere.
  private func located(_ error: DecodingError) -> DataError? {
    let (context, problem): (DecodingError.Context, String) =
      switch error {
      case .keyNotFound(let key, let context): (context, "has no '\(key.stringValue)'")
      case .typeMismatch(_, let context), .valueNotFound(_, let context):
        (
          context,
          "has an unexpected value at '\(context.codingPath.dropFirst().map { $0.intValue.map(String.init) ?? $0.stringValue }.joined(separator: "."))'"
        )
      case .dataCorrupted(let context): (context, "is broken")
      @unknown default: (.init(codingPath: [], debugDescription: ""), "")
      }
    return context.codingPath.first?.intValue.map { invalid($0 + 1, problem) }
  }

  private func lines() throws -> [(line: Int, record: Record)] {
    var records: [(line: Int, record: Record)] = []
    for (number, line) in bytes.split(separator: 10, omittingEmptySubsequences: false).enumerated()
    where line.contains(where: { $0 > 32 }) {
      do {
        records.append((number + 1, try JSONDecoder().decode(Record.self, from: Data(line))))
      } catch let error as UnequalColumns {
        throw invalid(number + 1, error.problem)
      } catch {
        throw invalid(number + 1, "is not a JSON object with 'question' and 'type'")
      }
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
    guard let wanted = record.supportingFacts?.entries, let context = record.context?.entries else {
      throw invalid(
        line, "has no 'supporting_facts' with 'context'; set data.supporting_facts to false")
    }
    let articles = Dictionary(context.map { ($0.title, $0.value) }) { first, _ in first }
    let found = wanted.compactMap { fact -> String? in
      guard let sentences = articles[fact.title], sentences.indices.contains(fact.value) else {
        return nil  // The data set names a few sentences that its articles do not have.
      }
      return sentences[fact.value].trimmingCharacters(in: .whitespaces)
    }
    guard found.contains(where: { !$0.isEmpty }) else {
      throw invalid(line, "does not name a sentence of its context")
    }
    return found.joined(separator: " ")
  }

  private func invalid(_ place: Int, _ problem: String) -> DataError {
    isList
      ? .invalidRecord(path, record: place, problem: problem)
      : .invalidLine(path, line: place, problem: problem)
  }
}
