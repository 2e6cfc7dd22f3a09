import MoECore

/// The published regular expressions by which tokenizers cut text, each with a scanner written by hand.
///
/// Swift's and Foundation's regex engines are a hundred times too slow here, so a pattern is
/// recognised by its exact spelling; only line breaks may be spelled as characters or as escapes.
/// Classes (`\s`, `\p{L}`, …) are those of Unicode. Simpler expressions are ``RunPattern``s.
public enum SplitPattern: String, Sendable, CaseIterable {
  /// GPT-2's: contractions, words, numbers and signs, each with at most one space before it.
  case gpt2 = #"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"#
  /// Llama 3's: contractions in any case, numbers of up to three digits, separate line breaks.
  case llama3 =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  /// Qwen 2's and Qwen 3's: Llama 3's with single digits.
  case qwen2 =
    #"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"#
  /// DeepSeek V3's main pattern, which leaves digits and Chinese characters to others.
  case deepSeek =
    ##"[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"##

  /// The pattern that equals `expression`, code point by code point, whether its line breaks are
  /// escaped or not: DeepSeek publishes them unescaped.
  init?(expression: String) {
    let escaped = expression.replacing("\r\n", with: #"\r\n"#).replacing("\r", with: #"\r"#)
      .replacing("\n", with: #"\n"#)
    guard let match = Self.allCases.first(where: { JSONValue.same($0.rawValue, escaped) }) else {
      return nil
    }
    self = match
  }
}

/// Finds the matches of a pattern.
struct PatternScanner: Sendable {
  typealias Class = ScalarClasses.Class

  /// What is searched for.
  enum Pattern: Sendable {
    case published(SplitPattern)
    case run(RunPattern)
  }

  let pattern: Pattern
  let classes = ScalarClasses.shared

  /// Creates a scanner for a published pattern.
  init(pattern: SplitPattern) { self.pattern = .published(pattern) }

  /// Creates a scanner for a regular expression; `nil` if none is known for it.
  init?(expression: String) {
    if let known = SplitPattern(expression: expression) {
      pattern = .published(known)
    } else if let run = RunPattern(expression: expression) {
      pattern = .run(run)
    } else {
      return nil
    }
  }

  /// The end of the match that begins at `start`; `nil` if none begins there.
  ///
  /// Never reads at or beyond `limit`, the end of the text.
  @inline(__always)
  func matchEnd(_ text: Span<UInt8>, at start: Int, limit: Int) -> Int? {
    switch pattern {
    case .published(.gpt2): gpt2(text, start, limit)
    case .published(.llama3): llama3(text, start, limit, digits: 3)
    case .published(.qwen2): llama3(text, start, limit, digits: 1)
    case .published(.deepSeek): deepSeek(text, start, limit)
    case .run(let run): run.matchEnd(text, start, limit, classes)
    }
  }

  /// Calls `body` with ranges that cover `range` in order: matches, and the text between them.
  ///
  /// - Complexity: O(bytes).
  @inline(__always)
  func forEachPiece(
    _ text: Span<UInt8>, in range: Range<Int>, _ body: (Range<Int>, _ isMatch: Bool) -> Void
  ) {
    var position = range.lowerBound
    var gap = position
    while position < range.upperBound {
      guard let end = matchEnd(text, at: position, limit: range.upperBound) else {
        position += unmatchedLength(text, at: position, limit: range.upperBound)
        continue
      }
      if gap < position { body(gap..<position, false) }
      body(position..<end, true)
      position = end
      gap = end
    }
    if gap < position { body(gap..<position, false) }
  }

  /// How far to go on where no match begins.
  private func unmatchedLength(_ text: Span<UInt8>, at position: Int, limit: Int) -> Int {
    if case .run(let run) = pattern { return run.unmatchedLength(text, position, limit, classes) }
    return text.scalar(at: position, limit: limit).length
  }

  // MARK: Steps of all patterns

  /// The classes and the length of the character at `position`; none at the end of the text.
  @inline(__always)
  func character(_ text: Span<UInt8>, _ position: Int, _ limit: Int) -> (UInt8, length: Int)? {
    guard position < limit else { return nil }
    let (value, length) = text.scalar(at: position, limit: limit)
    return (classes(value), length)
  }

  /// The end of the longest run of characters from `start` on that are in a class of `mask`.
  @inline(__always)
  func run(_ text: Span<UInt8>, _ start: Int, _ limit: Int, of mask: UInt8) -> Int {
    var position = start
    while let (found, length) = character(text, position, limit), found & mask != 0 {
      position += length
    }
    return position
  }

  /// The end of the longest run of characters from `start` on that are in no class of `mask`.
  @inline(__always)
  func run(_ text: Span<UInt8>, _ start: Int, _ limit: Int, outside mask: UInt8) -> Int {
    var position = start
    while let (found, length) = character(text, position, limit), found & mask == 0 {
      position += length
    }
    return position
  }

  /// The end of a run of 1 to `most` characters of a class.
  func prefix(
    _ text: Span<UInt8>, _ start: Int, _ limit: Int, of mask: UInt8, atMost most: Int
  ) -> Int? {
    var position = start
    for _ in 0..<most {
      guard let (found, length) = character(text, position, limit), found & mask != 0 else { break }
      position += length
    }
    return position > start ? position : nil
  }

  /// `\s+(?!\S)|\s+`: white space, without its last character if other text follows.
  func spaces(_ text: Span<UInt8>, _ start: Int, _ limit: Int) -> Int? {
    var position = start
    var last = start
    while let (found, length) = character(text, position, limit), found & Class.space != 0 {
      last = position
      position += length
    }
    guard position > start else { return nil }
    return position == limit || last == start ? position : last
  }

  /// `\s*[\r\n]+|\s+(?!\S)|\s+`: white space up to its last line break comes first.
  func spacesAndLines(_ text: Span<UInt8>, _ start: Int, _ limit: Int) -> Int? {
    var position = start
    var lines: Int?
    while let (found, length) = character(text, position, limit), found & Class.space != 0 {
      position += length
      if found & Class.newline != 0 { lines = position }
    }
    return lines ?? spaces(text, start, limit)
  }

  /// `'s|'t|'re|'ve|'m|'ll|'d`, ignoring case if `foldsCase`; then the long s counts as an s.
  func contraction(_ text: Span<UInt8>, _ start: Int, _ limit: Int, foldsCase: Bool) -> Int? {
    guard text[start] == UInt8(ascii: "'"), start + 1 < limit else { return nil }
    let fold: UInt8 = foldsCase ? 0x20 : 0
    func letter(_ position: Int) -> UInt8 {
      guard position < limit else { return 0 }
      let byte = text[position]
      return UInt8(ascii: "A")...UInt8(ascii: "Z") ~= byte ? byte | fold : byte
    }
    switch (letter(start + 1), letter(start + 2)) {
    case (UInt8(ascii: "s"), _), (UInt8(ascii: "t"), _), (UInt8(ascii: "m"), _),
      (UInt8(ascii: "d"), _):
      return start + 2
    case (UInt8(ascii: "r"), UInt8(ascii: "e")), (UInt8(ascii: "v"), UInt8(ascii: "e")),
      (UInt8(ascii: "l"), UInt8(ascii: "l")):
      return start + 3
    case (0xC5, 0xBF) where foldsCase: return start + 3
    default: return nil
    }
  }
}
