/// Which characters are adjacent inside any token.
///
/// Where two known characters are never adjacent, no merge can cross, so a text without
/// pre-tokenization can be split there without changing its ids. This keeps words short and
/// cacheable.
struct CharacterJoints: Sendable {
  private var pairs: PairTable

  init(_ vocabulary: Vocabulary) {
    pairs = PairTable(capacity: 4 * vocabulary.count)
    for case let token? in vocabulary.tokens {
      var previous: Unicode.Scalar?
      for scalar in token.unicodeScalars {
        if let previous { pairs[PairTable.key(previous.value, scalar.value)] = 1 }
        previous = scalar
      }
    }
  }

  /// Calls `body` with the ranges that can be encoded separately.
  ///
  /// - Complexity: O(bytes).
  func forEachPart(
    _ text: Span<UInt8>, _ range: Range<Int>, _ vocabulary: Vocabulary,
    _ body: (Range<Int>) -> Void
  ) {
    var start = range.lowerBound
    var position = start
    var previous: UInt32?
    while position < range.upperBound {
      let (value, length) = text.scalar(at: position, limit: range.upperBound)
      // Unknown characters may be fused with their neighbours, or become bytes.
      let isKnown = vocabulary.id(text, position..<position + length) != nil
      if let before = previous, isKnown, pairs[PairTable.key(before, value)] == nil {
        body(start..<position)
        start = position
      }
      previous = isKnown ? value : nil
      position += length
    }
    if start < position { body(start..<position) }
  }
}
