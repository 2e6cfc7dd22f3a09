/// Finds positions at which text can be split so that byte-level tokenizers give the same tokens as
/// for the whole.
enum TextCutter {
  private static let newline = UInt8(ascii: "\n")
  private static let space = UInt8(ascii: " ")

  /// The end of a part that begins at `begin`: after a line break before a letter or sign, or else
  /// before a space between two words, or else between two characters.
  static func end(ofPartFrom begin: Int, in text: RawSpan, limit: Int) -> Int {
    let last = begin + max(limit, 4)
    guard last < text.byteCount else { return text.byteCount }
    for place in stride(from: last, to: begin + limit / 2, by: -1)
    where byte(place - 1, text) == newline && byte(place, text) > space { return place }
    for place in stride(from: last, to: begin + limit / 2, by: -1)
    where byte(place, text) == space && byte(place - 1, text) > space
      && isLetter(byte(place + 1, text))
    { return place }
    var place = last
    while byte(place, text) & 0xC0 == 0x80 { place -= 1 }
    return place
  }

  /// The position after the next line break, or the end of the text.
  static func endOfLine(from begin: Int, in text: RawSpan) -> Int {
    var place = begin
    while place < text.byteCount {
      place += 1
      if byte(place - 1, text) == newline { break }
    }
    return place
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
  }

  private static func byte(_ place: Int, _ text: RawSpan) -> UInt8 {
    place < text.byteCount ? unsafe text.unsafeLoad(fromByteOffset: place, as: UInt8.self) : 0
  }
}
