public import MoETokenizers
public import MoETracing

extension TokenClasses {
  /// Classifies a tokenizer's vocabulary by what each token adds to a text.
  ///
  /// - Throws: `TokenizerError` for a token that cannot be decoded.
  public init(_ tokenizer: Tokenizer) throws {
    // A letter in front, because some decoders drop the space before the first word.
    let anchor = tokenizer.encode("a", addingSpecialTokens: false)
    let prefix = try tokenizer.decode(anchor)
    let ids = 0..<tokenizer.vocabularyCount
    let texts = try ids.map { id -> String? in
      guard tokenizer.token(id) != nil else { return nil }
      let text = try tokenizer.decode(anchor + [id], skippingSpecialTokens: false)
      return text.hasPrefix(prefix) ? String(text.dropFirst(prefix.count)) : text
    }
    self.init(texts, specials: Set(ids.filter { tokenizer.isSpecial($0) }))
  }
}
