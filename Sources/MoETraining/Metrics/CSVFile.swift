import Foundation
import MoECore
import SystemPackage

/// A CSV table that grows row by row; the first column is the step.
final class CSVFile {
  private let path: FilePath
  private var file: GrowingFile?

  /// Opens the table, keeping the rows of steps up to `step`.
  ///
  /// Rows of later steps, and an incomplete last row, are left from a run that was stopped before
  /// its next checkpoint.
  init(_ path: FilePath, keepingUpTo step: Int) throws {
    self.path = path
    guard !path.isMissing else { return }
    let bytes = try MappedFile(path).copied(upTo: FileLimit.text)
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw TrainingError.invalidTable(path: path, line: Self.brokenLine(of: bytes))
    }
    let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
    let kept = lines.enumerated().filter { number, line in
      number == 0 || Int(line.prefix { $0 != "," }).map { $0 <= step } ?? false
    }
    if step == 0 || kept.isEmpty {
      try FileManager.default.removeItem(atPath: path.string)
    } else {
      try AtomicFile.write(kept.map { $0.element + "\n" }.joined(), to: path)
      file = try GrowingFile(path)
    }
  }

  /// The first line that is not UTF-8.
  private static func brokenLine(of bytes: [UInt8]) -> Int {
    let lines = bytes.split(separator: 10, omittingEmptySubsequences: false)
    return 1 + (lines.firstIndex { String(validating: $0, as: UTF8.self) == nil } ?? 0)
  }

  /// Appends a row, preceded by the header if it is the first.
  func append(_ row: [(name: String, text: String)]) throws {
    var text = row.map(\.text).joined(separator: ",") + "\n"
    let file = try self.file ?? GrowingFile(path)
    if self.file == nil { text = row.map(\.name).joined(separator: ",") + "\n" + text }
    self.file = file
    try file.append(Array(text.utf8))
  }
}
