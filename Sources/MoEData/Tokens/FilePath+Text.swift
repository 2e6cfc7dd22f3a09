import MoECore
package import SystemPackage

extension FilePath {
  /// What a record calls a text that was read from here.
  package var textName: String {
    // Standard input is read through its descriptor.
    string.hasPrefix("/dev/fd/") ? "standard input" : lastComponent?.string ?? ""
  }

  /// The bytes of a file that must be UTF-8, without a byte-order mark.
  ///
  /// - Throws: ``DataError`` that names the line, or a `FileError`.
  package func textBytes() throws -> [UInt8] {
    let file = try MappedFile(self)
    guard file.count > 0 else { throw DataError.empty(self) }
    let bytes = try file.copied(upTo: FileLimit.text)
    if let offset = file.withBytes(UTF8Text.firstInvalidByte) {
      throw DataError.notUTF8(file, at: offset)
    }
    return bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? Array(bytes.dropFirst(3)) : bytes
  }
}

extension DataError {
  /// An error about a byte that is not part of UTF-8 text, with its line.
  static func notUTF8(_ file: MappedFile, at offset: Int) -> DataError {
    let lines = file.withBytes(in: 0..<offset) { bytes in
      unsafe bytes.withUnsafeBytes { unsafe $0.count { $0 == 10 } }
    }
    return .invalidLine(
      file.path, line: 1 + lines,
      problem: "is not UTF-8 text (byte \(offset)); convert the file first, for example with iconv")
  }
}
