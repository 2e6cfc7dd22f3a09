import MoETokenizers

/// Finds positions at which a tokenizer allows text to be cut.
struct TextCutter {
  private static let newline = UInt8(ascii: "\n")
  private static let space = UInt8(ascii: " ")
  let cuts: TextCuts

  /// The end of a part that begins at `begin`: the last cut within `limit` bytes, but not in their
  /// first half; else the first cut after them, or the end of the text.
  func end(ofPartFrom begin: Int, in text: RawSpan, limit: Int) -> Int {
    let last = begin + max(limit, 4)
    guard last < text.byteCount, !cuts.isEmpty else { return text.byteCount }
    let middle = begin + limit / 2
    for kind in [TextCuts.afterLine, .beforeSpace] where cuts.contains(kind) {
      for place in stride(from: last, to: middle, by: -1) where Self.isCut(kind, place, text) {
        return place
      }
    }
    for place in last..<text.byteCount {
      for kind in [TextCuts.afterLine, .beforeSpace]
      where cuts.contains(kind) && Self.isCut(kind, place, text) { return place }
    }
    return text.byteCount
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

  private static func isCut(_ kind: TextCuts, _ place: Int, _ text: RawSpan) -> Bool {
    guard place >= 2 else { return false }
    if kind == .beforeSpace {
      return byte(place, text) == space && isLetter(byte(place - 1, text))
        && isLetter(byte(place + 1, text))
    }
    return byte(place - 1, text) == newline && !endsInSpace(text, before: place - 1)
      && !beginsWithSpace(text, at: place)
  }

  /// Whether the character before a position is white space.
  private static func endsInSpace(_ text: RawSpan, before end: Int) -> Bool {
    var start = end - 1
    while start > 0, end - start < 4, byte(start, text) & 0xC0 == 0x80 { start -= 1 }
    return beginsWithSpace(text, at: start)
  }

  /// Whether the character at a position is white space; so is none.
  private static func beginsWithSpace(_ text: RawSpan, at place: Int) -> Bool {
    let first = byte(place, text)
    guard first >= 0x80 else { return first <= space }
    var bytes = (0..<4).map { byte(place + $0, text) }[...]
    bytes = bytes.prefix(1) + bytes.dropFirst().prefix { $0 & 0xC0 == 0x80 }
    return String(decoding: bytes, as: UTF8.self).unicodeScalars.first?.properties.isWhitespace
      ?? true
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
  }

  private static func byte(_ place: Int, _ text: RawSpan) -> UInt8 {
    place < text.byteCount ? unsafe text.unsafeLoad(fromByteOffset: place, as: UInt8.self) : 0
  }
}
