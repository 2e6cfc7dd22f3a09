import Foundation
import MoECore
import MoEData
import SystemPackage

/// Where finished texts go, one JSON object a line: a file to which they are appended, or standard output.
struct RecordFile {
  private let file: GrowingFile?
  /// How every record begins, since keys are in order.
  private static let start = "{\"end\":\""

  /// The texts that the file had before.
  let earlier: [String: TextRecord]

  /// Opens the file, so that a place that cannot be written is known before any work.
  ///
  /// - Parameters:
  ///   - path: The file; `nil` for standard output.
  ///   - resumes: Whether to keep the records that are there; a line that was not finished is dropped.
  /// - Throws: `FileError`, or `DataError` for a line that is no record.
  init(_ path: FilePath?, resumes: Bool) throws {
    guard let path else {
      (file, earlier) = (nil, [:])
      return
    }
    var records: [String: TextRecord] = [:]
    if resumes, !path.isMissing {
      let bytes = try MappedFile(path)
      let text = bytes.copied(0..<bytes.count)
      let complete = text.prefix((text.lastIndex(of: UInt8(ascii: "\n")) ?? -1) + 1)
      let lines = complete.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      func refused(_ place: Int) -> DataError {
        .invalidLine(
          path, line: place + 1,
          problem: "is no record of 'switchyard generate'; name the file that it wrote")
      }
      for (place, line) in lines.enumerated() where !line.isEmpty {
        guard let record = try? JSONDecoder().decode(TextRecord.self, from: Data(line)) else {
          throw refused(place)
        }
        records[record.id] = record
      }
      // A record that was not finished begins like one; anything else is not ours to drop.
      let rest = text.dropFirst(complete.count)
      guard rest.starts(with: Self.start.utf8.prefix(rest.count)) else {
        throw refused(max(0, lines.count - 1))
      }
      if complete.count < text.count { try AtomicFile.write(Array(complete), to: path) }
    } else if !path.isMissing {
      try AtomicFile.write([UInt8](), to: path)
    }
    (file, earlier) = (try GrowingFile(path), records)
  }

  func append(_ record: TextRecord) throws {
    let line = try JSONText.line(record) + "\n"
    guard let file else {
      Output.text(line)
      return try Output.flush()
    }
    try file.append(Array(line.utf8))
  }
}
