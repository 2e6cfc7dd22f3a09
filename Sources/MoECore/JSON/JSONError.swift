/// Why bytes are not JSON that can be used.
package enum JSONError: Error, Hashable {
  /// The text breaks the format: bytes before the place where reading stopped, and what had to stand there.
  case malformed(offset: Int, expected: String)
  /// An object names a key twice; the key has the objects and lists around it: `layers[1].size`.
  case duplicateKey(String)
}

extension JSONError {
  /// What is wrong and where, with the line and column of a text.
  package func description(in text: [UInt8]) -> String {
    guard case .malformed(let offset, let expected) = self else { return description }
    let before = text.prefix(offset)
    let start = before.lastIndex(of: UInt8(ascii: "\n")).map { $0 + 1 } ?? 0
    let line = 1 + before.count { $0 == UInt8(ascii: "\n") }
    // Bytes after the first of a character do not count.
    let column = 1 + before[start...].count { $0 & 0xC0 != 0x80 }
    return
      "not valid JSON in line \(line), column \(column), at byte \(offset): expected \(expected)"
  }
}

extension JSONError: CustomStringConvertible {
  /// What is wrong and where.
  package var description: String {
    switch self {
    case .malformed(let offset, let expected):
      "not valid JSON at byte \(offset): expected \(expected)"
    case .duplicateKey(let key): "not usable JSON: the key '\(key)' is there twice"
    }
  }
}
