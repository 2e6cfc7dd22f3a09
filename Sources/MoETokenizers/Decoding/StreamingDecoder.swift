/// Decodes ids one by one, as a model generates them.
///
/// Text is returned as soon as it is certain: an incomplete character is held back until its other
/// bytes arrive, and a run of byte tokens (`<0xE4>`) until it ends. The concatenated parts equal
/// the result of ``Tokenizer/decode(_:skippingSpecialTokens:)`` for the same ids.
public struct StreamingDecoder: Sendable {
  private let tokenizer: Tokenizer
  private let skipsSpecialTokens: Bool
  private var steps: [DecoderStep]

  init(_ tokenizer: Tokenizer, _ decoders: [TokenDecoder], skippingSpecialTokens: Bool) {
    self.tokenizer = tokenizer
    self.skipsSpecialTokens = skippingSpecialTokens
    steps = decoders.map { DecoderStep($0) }
  }

  /// Appends an id.
  ///
  /// - Returns: The text that is now certain: often a word, sometimes nothing. Ids of the vocabulary
  ///   that no token has stand for no text, as in the reference library: models may have such ids
  ///   and choose them.
  /// - Throws: ``TokenizerError/Reason/noSuchID(_:)`` if the id is outside the vocabulary.
  public mutating func append(_ id: Int) throws(TokenizerError) -> String {
    guard let token = tokenizer.decodedToken(id) else {
      guard 0..<tokenizer.vocabularyCount ~= id else {
        throw TokenizerError(reason: .noSuchID(id))
      }
      return ""
    }
    if skipsSpecialTokens, tokenizer.isSpecial(id) { return "" }
    return run([TokenPart(text: token)], from: 0)
  }

  /// Finishes decoding.
  ///
  /// - Returns: The held-back text; incomplete characters become U+FFFD.
  public mutating func finish() -> String {
    var text = ""
    for index in steps.indices {
      var parts: [TokenPart] = []
      steps[index].finish(into: &parts)
      text += run(parts, from: index + 1)
    }
    return text
  }

  private mutating func run(_ parts: [TokenPart], from first: Int) -> String {
    var parts = parts
    for index in first..<steps.count {
      var next: [TokenPart] = []
      for part in parts { steps[index].feed(part, into: &next) }
      parts = next
    }
    return parts.count == 1 ? parts[0].text : parts.map(\.text).joined()
  }
}
