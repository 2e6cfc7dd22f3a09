/// Why bytes are not JSON that can be used.
package enum JSONError: Error, Hashable {
  /// The text breaks the format: bytes before the place where reading stopped, and what had to stand there.
  case malformed(offset: Int, expected: String)
  /// An object names a key twice; the key has the objects and lists around it: `layers[1].size`.
  case duplicateKey(String)
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
