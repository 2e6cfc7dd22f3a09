import Foundation
import MoECore

/// Reads the lines of a file of any length, one at a time.
struct LineReader {
  private let file: MappedFile

  /// The number of bytes after which the pages that were read are released.
  private static let window = 1 << 26
  /// The longest line in bytes; lines are decoded as a whole, and a file without ends of lines is no text.
  static let longestLine = 64_000_000

  init(_ file: MappedFile) { self.file = file }

  /// Calls `body` with the number, from 1, and the bytes of each line that is not empty.
  ///
  /// The bytes are valid during the call and do not include the end of line, nor a byte order mark at the start.
  ///
  /// - Throws: ``TracingError/invalidFile(_:_:)`` at a line of more than ``longestLine`` bytes, or what `body` throws.
  func forEachLine(_ body: (_ number: Int, _ bytes: RawSpan) throws -> Void) throws {
    let mark = TextStart.byteOrderMark
    let isMarked = file.count >= mark.count && file.copied(0..<mark.count) == mark
    var (start, number, released) = (isMarked ? mark.count : 0, 0, 0)
    while start < file.count {
      number += 1
      guard let end = end(from: start) else {
        throw TracingError.invalidFile(
          file.path,
          "line \(number) is longer than \(ByteCount(Self.longestLine)), so this is not a file of records in lines"
        )
      }
      try file.withBytes(in: start..<end) { bytes in
        let isEmpty = bytes.byteCount == 0 || bytes.byteCount == 1 && bytes.isReturn(at: 0)
        if !isEmpty { try body(number, bytes) }
      }
      start = end + 1
      if start - released > Self.window {
        file.discardPages()
        released = start
      }
    }
    file.discardPages()
  }

  /// The position of the next line feed, or the end of the file; `nil` if the line is too long.
  private func end(from start: Int) -> Int? {
    let last = min(file.count, start + Self.longestLine + 1)
    return file.withBytes(in: start..<last) { bytes in
      unsafe bytes.withUnsafeBytes { bytes -> Int? in
        guard let base = bytes.baseAddress, let found = unsafe memchr(base, 0x0A, bytes.count)
        else { return last - start <= Self.longestLine ? last : nil }
        return unsafe start + (UnsafeRawPointer(found) - base)
      }
    }
  }
}

extension RawSpan {
  /// A byte; the position must be in range.
  @inline(__always)
  func byte(at place: Int) -> UInt8 {
    unsafe unsafeLoad(fromByteOffset: place, as: UInt8.self)
  }

  func isReturn(at place: Int) -> Bool { byte(at: place) == 0x0D }
}
