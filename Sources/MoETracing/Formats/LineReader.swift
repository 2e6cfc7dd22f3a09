import MoECore

/// Reads the lines of a file of any length, one at a time.
struct LineReader {
  private let file: MappedFile

  /// The number of bytes after which the pages that were read are released.
  private static let window = 1 << 26

  init(_ file: MappedFile) { self.file = file }

  /// Calls `body` with the number, from 1, and the bytes of each line that is not empty.
  ///
  /// The bytes are valid during the call and do not include the end of line.
  func forEachLine(_ body: (_ number: Int, _ bytes: RawSpan) throws -> Void) throws {
    var (start, number, released) = (0, 0, 0)
    while start < file.count {
      let end = self.end(from: start)
      number += 1
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

  /// The position of the next line feed, or the end of the file.
  private func end(from start: Int) -> Int {
    file.withBytes(in: start..<file.count) { bytes in
      var place = 0
      while place < bytes.byteCount, bytes.byte(at: place) != 0x0A { place += 1 }
      return start + place
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
