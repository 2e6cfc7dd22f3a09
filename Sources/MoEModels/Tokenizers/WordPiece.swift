/// WordPiece: a word becomes the longest tokens that fit, from left to right.
///
/// - SeeAlso: Devlin et al. 2019, *BERT*, §3, [arXiv:1810.04805](https://arxiv.org/abs/1810.04805).
struct WordPiece: Sendable {
  let vocabulary: Vocabulary
  /// The token of a word that cannot be put together.
  private let unknown: Int32
  /// What stands before tokens that do not begin a word, usually `##`.
  private let continuation: [UInt8]
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
    continuation = Array(try fields.string("continuing_subword_prefix").utf8)
    // Each word may cost the square of its length.
    longestWord = try fields.integer("max_input_chars_per_word", in: 1...10_000)
  }

  /// Adds the ids of one word.
  ///
  /// - Complexity: O(n²) in the word's length, which is limited.
  func encode(_ text: Span<UInt8>, _ range: Range<Int>, into output: inout [Int]) {
    // Places between characters, first and last included.
    var borders = [range.lowerBound]
    while let last = borders.last, last < range.upperBound {
      guard borders.count <= longestWord else { return output.append(Int(unknown)) }
      borders.append(last + text.scalar(at: last, limit: range.upperBound).length)
    }
    let count = output.count
    var first = 0
    while first < borders.count - 1 {
      guard let (id, next) = longestToken(text, borders, from: first) else {
        output.removeSubrange(count...)
        return output.append(Int(unknown))
      }
      output.append(Int(id))
      first = next
    }
  }

  private func longestToken(
    _ text: Span<UInt8>, _ borders: [Int], from first: Int
  ) -> (id: Int32, next: Int)? {
    for last in (first + 1..<borders.count).reversed() {
      let part = borders[first]..<borders[last]
      if let id = first == 0 ? vocabulary.id(text, part) : continued(text, part) {
        return (id, last)
      }
    }
    return nil
  }

  private func continued(_ text: Span<UInt8>, _ range: Range<Int>) -> Int32? {
    var bytes = continuation
    for index in range { bytes.append(text[index]) }
    return vocabulary.id(bytes.span, 0..<bytes.count)
  }
}
