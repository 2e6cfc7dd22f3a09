/// Finds added tokens in a text, from left to right, longest first.
struct TokenMatcher: Sendable {
  /// The longest token in bytes, which bounds the number of steps per position of a text.
  static let longestToken = 1_024

  /// A part of the text.
  enum Part {
    case token(Int)
    case text(Range<Int>)
  }

  private let tokens: [AddedToken]
  private var trie = ByteTrie()

  /// Creates a matcher for texts and their tokens; empty texts are never found.
  init(_ tokens: [(text: [UInt8], token: AddedToken)]) {
    self.tokens = tokens.map(\.token)
    for (index, entry) in tokens.enumerated() {
      trie.insert(entry.text, value: Int32(index))
    }
  }

  var isEmpty: Bool { tokens.isEmpty }

  /// Calls `body` with the tokens and the text between them, in order.
  ///
  /// - Complexity: O(bytes × longest token).
  func forEachPart(_ text: Span<UInt8>, _ body: (Part) -> Void) {
    var done = 0
    var position = 0
    while !isEmpty, position < text.count {
      guard trie.mayBegin(with: text[position]),
        let (index, end) = trie.longest(text, at: position, limit: text.count)
      else {
        position += 1
        continue
      }
      // A rejected match still consumes its text.
      defer { position = end }
      let token = tokens[Int(index)]
      guard let range = place(of: token, position..<end, text) else { continue }
      // White space that an earlier token included may hold a token, too, which is then found as
      // well; the reference library even continues after it, if the earlier token included more.
      // A token that includes white space before it gets only what no earlier one has; if that is
      // nothing, it is no token. (Where the earlier one has even more, the reference fails.)
      let lower = token.stripsLeft ? max(range.lowerBound, done) : range.lowerBound
      guard lower < range.upperBound else { continue }
      if done < lower { body(.text(done..<lower)) }
      body(.token(token.id))
      done = range.upperBound
    }
    if done < text.count { body(.text(done..<text.count)) }
  }

  /// The range of a match, with white space if the token includes it; `nil` if it must be a whole
  /// word but is not.
  private func place(
    of token: AddedToken, _ match: Range<Int>, _ text: Span<UInt8>
  ) -> Range<Int>? {
    var (start, end) = (match.lowerBound, match.upperBound)
    if token.isSingleWord {
      if let before = Self.scalar(before: start, text), before.isWordCharacter { return nil }
      if let after = Self.scalar(after: end, text), after.isWordCharacter { return nil }
    }
    if token.stripsLeft {
      while let before = Self.scalar(before: start, text), before.properties.isWhitespace {
        start -= before.utf8.count
      }
    }
    if token.stripsRight {
      while let after = Self.scalar(after: end, text), after.properties.isWhitespace {
        end += after.utf8.count
      }
    }
    return start..<end
  }

  private static func scalar(before end: Int, _ text: Span<UInt8>) -> Unicode.Scalar? {
    guard end > 0 else { return nil }
    var start = end - 1
    while start > 0, end - start < 4, text[start] & 0xC0 == 0x80 { start -= 1 }
    return Unicode.Scalar(text.scalar(at: start, limit: end).value)
  }

  private static func scalar(after start: Int, _ text: Span<UInt8>) -> Unicode.Scalar? {
    guard start < text.count else { return nil }
    return Unicode.Scalar(text.scalar(at: start, limit: text.count).value)
  }
}
