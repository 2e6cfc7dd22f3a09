extension Tokenizer {
  /// How many bytes of its text each token stands for.
  ///
  /// - Parameter ids: The ids of a whole text, as encoded.
  /// - Returns: A number per id. Tokens that the tokenizer adds around a text stand for nothing;
  ///   special tokens in the text itself stand for their spelling. The sum equals the bytes of
  ///   the decoded text, if it is valid UTF-8.
  /// - Throws: ``TokenizerError/Reason/noSuchID(_:)`` if any id is outside the vocabulary.
  public func byteCounts(of ids: [Int]) throws(TokenizerError) -> [Int] {
    let added = surroundingIndices(in: ids)
    var decoder = streamingDecoder(skippingSpecialTokens: false)
    var counts: [Int] = []
    counts.reserveCapacity(ids.count)
    for (index, id) in ids.enumerated() {
      if added.contains(index) {
        counts.append(0)
      } else if let count = ownByteCount(of: id) {
        counts.append(count)
      } else {
        counts.append(try decoder.append(id).utf8.count)
      }
    }
    return counts
  }

  /// The positions of tokens that were added around the text.
  private func surroundingIndices(in ids: [Int]) -> Set<Int> {
    let (prefix, suffix) = surroundings
    guard ids.starts(with: prefix), ids.dropFirst(prefix.count).suffix(suffix.count) == suffix[...]
    else { return [] }
    return Set(0..<prefix.count).union(ids.count - suffix.count..<ids.count)
  }

  /// The bytes of a token whose text does not depend on its neighbours; `nil` for others.
  private func ownByteCount(of id: Int) -> Int? {
    guard let token = decodedToken(id) else { return nil }
    for decoder in decoders {
      switch decoder {
      case .byteLevel: return ByteAlphabet.bytes(of: token)?.count ?? token.utf8.count
      // One of several that form a character, or a replacement for an invalid one.
      case .byteFallback where DecoderStep.byte(token) != nil: return 1
      default: continue
      }
    }
    return nil
  }
}
