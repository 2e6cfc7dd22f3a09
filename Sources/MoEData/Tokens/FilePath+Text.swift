import MoECore
package import SystemPackage

extension FilePath {
  /// The bytes of a file that must be UTF-8, without a byte-order mark.
  ///
  /// - Throws: ``DataError`` that names the line, or a `FileError`.
  package func textBytes() throws -> [UInt8] {
    let file = try MappedFile(self)
    guard file.count > 0 else { throw DataError.empty(self) }
    let bytes = file.copied()
    if let offset = file.withBytes(UTF8Text.firstInvalidByte) {
      let line = 1 + bytes[..<offset].count { $0 == 10 }
      throw DataError.invalidLine(
        self, line: line,
        problem:
          "is not UTF-8 text (byte \(offset)); convert the file first, for example with iconv")
    }
    return bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
  }
}
