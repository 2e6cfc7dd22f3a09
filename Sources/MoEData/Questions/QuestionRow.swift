package import MoECore
package import SystemPackage

/// A row of a data set with questions, and where it stands in its file.
package struct QuestionRow: Sendable {
  /// The file.
  package var path: FilePath
  /// The line on which the row begins, from 1.
  package var line: Int
  /// Its columns, as the data set names them.
  package var fields: JSONObject

  /// Describes a row.
  package init(path: FilePath, line: Int, fields: JSONObject) {
    (self.path, self.line, self.fields) = (path, line, fields)
  }

  /// An error about this row.
  package func refused(_ problem: String) -> DataError {
    .invalidLine(path, line: line, problem: problem)
  }

  /// A text that is not blank.
  ///
  /// - Throws: ``DataError`` if it is missing, blank or something else.
  package func text(_ key: String) throws(DataError) -> String {
    let text = try string(key)
    guard !text.isBlank else { throw refused("has an empty '\(key)'; give it a text") }
    return text
  }

  /// A text, which may be empty.
  ///
  /// - Throws: ``DataError`` if it is missing or something else.
  package func string(_ key: String) throws(DataError) -> String {
    guard case .string(let text)? = fields[key] else {
      throw refused("needs a text '\(key)'\(found(key))")
    }
    return text
  }

  /// At least two texts, none of them blank.
  ///
  /// - Throws: ``DataError`` for anything else.
  package func texts(_ key: String) throws(DataError) -> [String] {
    guard case .array(let items)? = fields[key] else {
      throw refused("needs a list of texts '\(key)'\(found(key))")
    }
    return try texts(items, key)
  }

  /// The texts of a list that a column holds.
  package func texts(_ items: [JSONValue], _ key: String) throws(DataError) -> [String] {
    guard items.count >= 2 else {
      throw refused(
        "has \(NumberText.counted(items.count, "text")) in '\(key)'; a choice needs at least 2")
    }
    var texts: [String] = []
    for (place, item) in items.enumerated() {
      guard case .string(let text) = item else {
        throw refused("has \(item.text) in '\(key)'; it must hold texts only")
      }
      guard !text.isBlank else {
        throw refused("has an empty text in '\(key)', text \(place + 1) of \(items.count)")
      }
      texts.append(text)
    }
    return texts
  }

  /// A whole number that names one of `count` choices, counted from `first`; the result counts from 0.
  ///
  /// Numbers may be written as text, as some sets do.
  ///
  /// - Throws: ``DataError`` if it is missing, something else or out of range.
  package func choice(_ key: String, of count: Int, from first: Int = 0) throws(DataError) -> Int {
    let number: Int? =
      switch fields[key] {
      case .number(let value)?: Int(exactly: value)
      case .string(let text)?: Int(text)
      case .bool(let value)?: value ? 1 : 0
      default: nil
      }
    guard let number else {
      throw refused("needs a whole number '\(key)'\(found(key))")
    }
    guard first..<first + count ~= number else {
      throw refused(
        "has the answer \(number) in '\(key)', but \(count) choices, counted from \(first)")
    }
    return number - first
  }

  /// The first keys, for messages.
  private var keyList: String {
    let shown = fields.keys.prefix(8).map(\.printableValue)
    guard !shown.isEmpty else { return "none" }
    return shown.joined(separator: ", ") + (fields.count > shown.count ? ", …" : "")
  }

  private func found(_ key: String) -> String {
    fields[key].map { "; it holds \($0.text)" }
      ?? "; its keys are \(keyList)"
  }
}

extension String {
  /// Whether nothing is there but white space.
  fileprivate var isBlank: Bool { allSatisfy(\.isWhitespace) }
}
