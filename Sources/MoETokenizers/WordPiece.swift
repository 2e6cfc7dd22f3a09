import MoECore

/// WordPiece: a word becomes the longest tokens that fit, from left to right.
///
/// - SeeAlso: Devlin et al. 2019, *BERT*, §3, [arXiv:1810.04805](https://arxiv.org/abs/1810.04805).
struct WordPiece: Sendable {
  let vocabulary: Vocabulary
  /// The token for words that cannot be composed.
  private let unknown: Int32
  /// Tokens that begin a word.
  private var first = ByteTrie()
  /// Tokens that continue a word, without their prefix in the vocabulary, usually `##`.
  private var continued = ByteTrie()
  /// Longer words, in characters, are unknown.
  private let longestWord: Int

  /// Reads the `model` of a tokenizer file.
  init(_ fields: JSONFields) throws(TokenizerError.Reason) {
    vocabulary = try Vocabulary(try fields.required("vocab"), at: fields.key("vocab"))
    let token = try fields.string("unk_token")
    guard let unknown = vocabulary.id(of: token) else {
      throw .unknownToken(key: fields.key("unk_token"), token: token)
    }
    self.unknown = unknown
    let prefix = Array(try fields.string("continuing_subword_prefix").utf8)
    // A word may cost the square of its length.
    longestWord = try fields.integer("max_input_chars_per_word", in: 1...1_000)
    for (id, token) in vocabulary.tokens.enumerated() {
      guard let bytes = token.map({ Array($0.utf8) }) else { continue }
      first.insert(bytes, value: Int32(id))
      if bytes.starts(with: prefix) {
        continued.insert(bytes.dropFirst(prefix.count), value: Int32(id))
      }
    }
  }

  /// Appends the ids of one word.
  ///
  /// - Complexity: O(n · longest token), where n is the word's length, which is limited.
  func encode(_ text: Span<UInt8>, _ range: Range<Int>, into output: inout [Int]) {
    guard count(text, range) <= longestWord else { return output.append(Int(unknown)) }
    let known = output.count
    var position = range.lowerBound
    while position < range.upperBound {
      let trie = position == range.lowerBound ? first : continued
      guard let (id, end) = trie.longest(text, at: position, limit: range.upperBound) else {
        output.removeSubrange(known...)
        return output.append(Int(unknown))
      }
      output.append(Int(id))
      position = end
    }
  }

  /// The number of characters, up to just above the limit.
  private func count(_ text: Span<UInt8>, _ range: Range<Int>) -> Int {
    var position = range.lowerBound
    var count = 0
    while position < range.upperBound, count <= longestWord {
      position += text.scalar(at: position, limit: range.upperBound).length
      count += 1
    }
    return count
  }
}
