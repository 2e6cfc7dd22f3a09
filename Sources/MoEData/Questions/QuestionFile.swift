import CBZip2
import MoECore
package import SystemPackage

/// The forms of files in which data sets with questions come.
///
/// All errors name the file and the line.
package enum QuestionFile {
  /// One JSON object on each line; blank lines are skipped.
  ///
  /// - Throws: ``DataError``, or a `FileError`.
  /// - Complexity: O(bytes).
  package static func jsonLines(_ path: FilePath) throws -> [QuestionRow] {
    var rows: [QuestionRow] = []
    let lines = try path.textBytes().split(separator: 10, omittingEmptySubsequences: false)
    for (place, bytes) in lines.enumerated() where bytes.contains(where: { $0 > 32 }) {
      let value: JSONValue
      do { value = try JSONValue(parsing: Array(bytes)) } catch {
        throw DataError.invalidLine(path, line: place + 1, problem: "is \(error)")
      }
      guard case .object(let fields) = value else {
        throw DataError.invalidLine(
          path, line: place + 1, problem: "is \(value.text); each line must be a JSON object")
      }
      rows.append(QuestionRow(path: path, line: place + 1, fields: fields))
    }
    guard !rows.isEmpty else { throw DataError.empty(path) }
    return rows
  }

  /// The lines of a text, without their ends; those of a file that ends in `.bz2` are decompressed first.
  ///
  /// - Throws: ``DataError``, or a `FileError`.
  /// - Complexity: O(bytes).
  package static func lines(_ path: FilePath) throws -> [String] {
    let bytes =
      path.extension == "bz2"
      ? try text(BZip2File.bytes(path), path) : try path.textBytes()
    var lines = bytes.split(separator: 10, omittingEmptySubsequences: false).map { line in
      String(decoding: line.last == 13 ? line.dropLast() : line, as: UTF8.self)
    }
    if lines.last?.isEmpty ?? false { lines.removeLast() }
    guard !lines.isEmpty else { throw DataError.empty(path) }
    return lines
  }

  /// Comma-separated values without a header, as the columns that are named.
  ///
  /// - Throws: ``DataError``, or a `FileError`.
  /// - Complexity: O(bytes).
  package static func commaSeparated(_ path: FilePath, columns: [String]) throws -> [QuestionRow] {
    let table = SeparatedValues(path: path, format: .commas)
    return try table.rows().map { row in
      guard row.values.count == columns.count else {
        throw DataError.invalidLine(
          path, line: row.line,
          problem:
            "has \(NumberText.counted(row.values.count, "column")); expected are \(columns.count): \(columns.joined(separator: ", "))"
        )
      }
      var fields = JSONObject()
      for (column, value) in zip(columns, row.values) { fields[column] = .string(value) }
      return QuestionRow(path: path, line: row.line, fields: fields)
    }
  }

  private static func text(_ bytes: [UInt8], _ path: FilePath) throws -> [UInt8] {
    if let offset = unsafe UTF8Text.firstInvalidByte(in: bytes.span.bytes) {
      throw DataError.invalidLine(
        path, line: 1 + bytes[..<offset].count { $0 == 10 },
        problem: "is not UTF-8 text after decompression")
    }
    return bytes
  }
}

/// Files that bzip2 compressed.
enum BZip2File {
  /// The bytes of a file, decompressed.
  ///
  /// - Throws: ``DataError`` for damage, or a `FileError`, also for what is larger than texts may be.
  /// - Complexity: O(decompressed bytes).
  static func bytes(_ path: FilePath) throws -> [UInt8] {
    let packed = try MappedFile(path).copied(upTo: FileLimit.text)
    guard !packed.isEmpty else { throw DataError.empty(path) }
    var room = max(1 << 16, min(packed.count * 8, FileLimit.text))
    while true {
      var end = CBZIP2_COMPLETE
      let bytes = unsafe [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
        let result = unsafe packed.withUnsafeBufferPointer { from in
          unsafe cbzip2_expand(from.baseAddress, from.count, buffer.baseAddress, buffer.count)
        }
        (count, end) = (result.made, result.end)
      }
      switch end {
      case CBZIP2_COMPLETE: return bytes
      case CBZIP2_FULL:
        guard room < FileLimit.text else {
          throw FileError.tooLarge(path, bytes: room, limit: FileLimit.text)
        }
        room = min(room * 4, FileLimit.text)
      case CBZIP2_CUT:
        throw DataError.damaged(path, problem: "ends before its bzip2 stream does; fetch it again")
      case CBZIP2_NO_MEMORY:
        throw DataError.damaged(path, problem: "needs more memory than there is to decompress it")
      default:
        throw DataError.damaged(path, problem: "is not a bzip2 file, or is damaged; fetch it again")
      }
    }
  }
}
