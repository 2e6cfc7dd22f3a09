import Foundation
import MoECore
public import MoETokenizers
public import SystemPackage

/// A file with text to train on: plain text, or one JSON object per line.
public struct TextSource: Hashable, Sendable {
  /// The file.
  public var path: FilePath
  /// The key that holds a document's text in each line; `nil` for plain text, which is one document.
  public var field: String?

  /// Creates a source; the default field of files that end in `.jsonl` is `text`.
  public init(_ path: FilePath, field: String? = nil) {
    self.path = path
    self.field = field ?? (path.extension == "jsonl" ? "text" : nil)
  }

  /// A part of a document's bytes.
  public struct Part {
    /// UTF-8.
    public var bytes: [UInt8]
    /// Whether a document begins here.
    public var beginsDocument: Bool
  }

  /// Checks that the file is not empty and is UTF-8 to its end.
  ///
  /// - Throws: ``DataError``, or a `FileError`.
  /// - Complexity: O(bytes), without holding them in memory.
  public func check() throws {
    let file = try MappedFile(path)
    guard file.count > 0 else { throw DataError.empty(path) }
    if let offset = file.withBytes(UTF8Text.firstInvalidByte) {
      throw DataError.notText(path, offset: offset)
    }
  }

  /// Reads the documents one after another, long ones in parts.
  ///
  /// - Parameters:
  ///   - limit: Desired number of bytes in a part of plain text, which is longer where no cut is
  ///     nearer; a line of JSONL is never split.
  ///   - cuts: Where plain text may be cut: `Tokenizer.cuts` if the parts are to give the tokens of
  ///     the whole. If nowhere, it is one part.
  ///   - body: Receives the parts in order, and the number of bytes of the file that are done after
  ///     each.
  /// - Throws: ``DataError``, a `FileError`, or what `body` throws.
  public func forEachPart(
    limit: Int = 1 << 20, cuts: TextCuts = [.beforeSpace, .afterLine],
    _ body: (Part, _ bytesDone: Int) throws -> Void
  ) throws {
    try check()
    let file = try MappedFile(path)
    if let field { return try forEachLine(of: file, field, body) }
    let cutter = TextCutter(cuts: cuts)
    var begin = 0
    while begin < file.count {
      let end = file.withBytes { cutter.end(ofPartFrom: begin, in: $0, limit: limit) }
      try body(Part(bytes: file.copied(begin..<end), beginsDocument: begin == 0), end)
      begin = end
    }
  }

  private func forEachLine(
    of file: MappedFile, _ field: String, _ body: (Part, Int) throws -> Void
  ) throws {
    var (begin, number) = (0, 0)
    while begin < file.count {
      number += 1
      let end = file.withBytes { TextCutter.endOfLine(from: begin, in: $0) }
      let line = file.copied(begin..<end)
      begin = end
      if line.allSatisfy({ $0 <= UInt8(ascii: " ") }) { continue }
      let text = try text(ofLine: line, number, field)
      try body(Part(bytes: Array(text.utf8), beginsDocument: true), end)
    }
  }

  private func text(ofLine line: [UInt8], _ number: Int, _ field: String) throws -> String {
    guard let object = try? JSONSerialization.jsonObject(with: Data(line)) as? [String: Any] else {
      throw DataError.invalidLine(path, line: number, problem: "is not a JSON object")
    }
    guard let text = object[field] as? String else {
      let keys = object.keys.sorted().prefix(8).map { "'\($0)'" }.joined(separator: ", ")
      throw DataError.invalidLine(
        path, line: number,
        problem: "has no text under '\(field)'; it has \(keys), name one with data.field")
    }
    return text
  }
}
