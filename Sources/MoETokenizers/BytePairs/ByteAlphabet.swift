/// GPT-2's encoding of bytes as visible characters: `tokenizer.json` writes a space as `Ġ`.
///
/// Bytes that are visible in Latin-1 represent themselves; the others are assigned the code points
/// from U+0100 on, in order.
///
/// - SeeAlso: Radford et al. 2019, *Language Models are Unsupervised Multitask Learners*, §2.2.
enum ByteAlphabet {
  /// The character of each byte.
  static let characters: [Unicode.Scalar] = {
    var next: UInt32 = 0x100
    return (0..<256).map { byte -> Unicode.Scalar in
      if isVisible(byte) { return Unicode.Scalar(UInt8(byte)) }
      defer { next += 1 }
      return Unicode.Scalar(next) ?? "\u{FFFD}"
    }
  }()

  /// Bytes in the order of their characters.
  static let bytesByCharacter: [UInt8] = (0...255).sorted {
    characters[Int($0)] < characters[Int($1)]
  }

  /// The byte of each character, by code point; negative if there is none.
  private static let byteOfCharacter: [Int16] = {
    var bytes = [Int16](repeating: -1, count: 0x144)
    for (byte, character) in characters.enumerated() { bytes[Int(character.value)] = Int16(byte) }
    return bytes
  }()

  private static func isVisible(_ byte: Int) -> Bool {
    0x21...0x7E ~= byte || 0xA1...0xAC ~= byte || 0xAE...0xFF ~= byte
  }

  /// The bytes of a token; `nil` if it has a character outside the alphabet.
  static func bytes(of token: String) -> [UInt8]? {
    var result: [UInt8] = []
    result.reserveCapacity(token.utf8.count)
    for scalar in token.unicodeScalars {
      let value = Int(scalar.value)
      guard value < byteOfCharacter.count, byteOfCharacter[value] >= 0 else { return nil }
      result.append(UInt8(byteOfCharacter[value]))
    }
    return result
  }

  /// The token of some bytes.
  static func token(of bytes: some Sequence<UInt8>) -> String {
    var result = String.UnicodeScalarView()
    for byte in bytes { result.append(characters[Int(byte)]) }
    return String(result)
  }
}
