/// The type of a scalar of numpy's, such as `f8`.
struct NumPyScalarType {
  /// Its kind and its number of bytes; of characters for texts.
  let name: String
  /// Whether the most significant byte comes first.
  var isBigEndian = false
  private let kind: Character
  private let size: Int

  /// Bytes of a value.
  var byteCount: Int { kind == "U" ? 4 * size : size }

  /// Reads a name.
  ///
  /// - Throws: A forbidden global for types that are neither numbers nor texts.
  init(_ name: String) throws(PickleError.Reason) {
    let sizes: [Character: Set<Int>] = [
      "f": [2, 4, 8], "i": [1, 2, 4, 8], "u": [1, 2, 4, 8], "b": [1],
    ]
    guard let kind = name.first, let size = Int(name.dropFirst()), 0...(1 << 16) ~= size,
      sizes[kind]?.contains(size) ?? (kind == "U" || kind == "S")
    else { throw .forbiddenGlobal("numpy.dtype('\(name)')") }
    (self.name, self.kind, self.size) = (name, kind, size)
  }

  /// The value that bytes stand for; `nil` where they do not fit.
  func value(_ bytes: [UInt8]) -> PickleValue? {
    guard bytes.count == byteCount else { return nil }
    switch kind {
    case "f":
      let bits = number(bytes[...])
      return switch size {
      case 2: .float(Double(Float16(bitPattern: UInt16(bits))))
      case 4: .float(Double(Float(bitPattern: UInt32(bits))))
      default: .float(Double(bitPattern: bits))
      }
    case "i":
      let unused = 64 - 8 * size
      return .integer(Int(Int64(bitPattern: number(bytes[...]) << unused) >> unused))
    case "u":
      let bits = number(bytes[...])
      return Int(exactly: bits).map { .integer($0) } ?? .float(Double(bits))
    case "b": return .bool(bytes[0] != 0)
    case "S": return .bytes(bytes)
    default:
      var text = ""
      for start in stride(from: 0, to: bytes.count, by: 4) {
        guard let scalar = Unicode.Scalar(UInt32(number(bytes[start..<start + 4]))) else {
          return nil
        }
        text.unicodeScalars.append(scalar)
      }
      return .string(text)
    }
  }

  private func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    (isBigEndian ? Array(bytes) : bytes.reversed()).reduce(0) { $0 << 8 | UInt64($1) }
  }
}
