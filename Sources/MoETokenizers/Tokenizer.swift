import Synchronization

/// Converts text to a model's token ids and back.
///
/// Produces the same ids as the Hugging Face tokenizers library for byte-level BPE (GPT-2,
/// GPT-NeoX, Llama 3, Qwen, DeepSeek), SentencePiece-style BPE (Llama 2, Mixtral) and WordPiece
/// (BERT). Padding and truncation settings are ignored: the code that makes batches handles long
/// texts.
///
/// Three differences from that library are known. For BERT's punctuation and control characters,
/// its table of character categories is older, which affects characters assigned since. A special
/// token that is matched in normalized text is omitted from decoded text here even if normalization
/// changes its spelling. And Metaspace's scheme `first` also inserts its mark if a normalizer
/// removed the very first character.
///
/// A tokenizer may be used by several threads concurrently.
public final class Tokenizer: Sendable {
  let normalizer: Normalizer?
  let preTokenizer: PreTokenizer?
  private let model: TokenizerModel
  let added: AddedTokens
  let postProcessor: PostProcessor
  let decoders: [TokenDecoder]
  /// Caches that are not currently in use.
  private let idle = Mutex<[EncodingScratch]>([])
  private static let idleLimit = 16

  /// One more than the highest id: the number of rows that an embedding needs.
  public let vocabularyCount: Int

  /// Assembles a tokenizer from consistent parts.
  init(_ parts: TokenizerParts) throws(TokenizerError.Reason) {
    normalizer = parts.normalizer
    preTokenizer = parts.preTokenizer
    model = parts.model
    let added = try AddedTokens(
      parts.addedTokens, parts.model.vocabulary, normalizer: parts.normalizer)
    self.added = added
    postProcessor = parts.postProcessor
    decoders = parts.decoders
    let tokens = parts.model.vocabulary.tokens
    vocabularyCount = max(tokens.count, (added.byID.keys.max() ?? -1) + 1)
    try parts.postProcessor.check { id in
      added.byID[id] != nil || tokens.indices.contains(id) && tokens[id] != nil
    }
  }

  // MARK: Encoding

  /// The ids of a text.
  ///
  /// - Parameters:
  ///   - text: Any text.
  ///   - addingSpecialTokens: Whether to add the tokens that the model expects around a text, such
  ///     as a begin-of-sequence token. Special tokens in the text itself are always recognised.
  /// - Returns: Ids below ``vocabularyCount``, in the order of the text.
  /// - Complexity: At worst O(n log n), O(n) for ordinary text.
  public func encode(_ text: String, addingSpecialTokens: Bool = true) -> [Int] {
    encode(bytes: Array(text.utf8), addingSpecialTokens: addingSpecialTokens)
  }

  /// The ids of bytes that should be UTF-8.
  ///
  /// A byte-level tokenizer without a normalizer encodes invalid bytes unchanged; all others
  /// replace them by U+FFFD.
  public func encode(bytes: [UInt8], addingSpecialTokens: Bool = true) -> [Int] {
    let takesAnyBytes = normalizer == nil && preTokenizer?.isByteLevel ?? false
    let isText = takesAnyBytes || String(validating: bytes, as: UTF8.self) != nil
    let bytes = isText ? bytes : Array(String(decoding: bytes, as: UTF8.self).utf8)
    var scratch = borrowScratch()
    var ids = addingSpecialTokens ? postProcessor.prefix : []
    ids.reserveCapacity(bytes.count / 3)
    added.raw.forEachPart(bytes.span) { part in
      switch part {
      case .token(let id): ids.append(id)
      case .text(let range):
        let text = range.count == bytes.count ? bytes : Array(bytes[range])
        encodeText(text, startsText: range.lowerBound == 0, &scratch, into: &ids)
      }
    }
    if addingSpecialTokens { ids += postProcessor.suffix }
    giveBack(scratch)
    return ids
  }

  /// The tokens that the model expects before and after a text.
  package var surroundings: (prefix: [Int], suffix: [Int]) {
    (postProcessor.prefix, postProcessor.suffix)
  }

  /// Appends the ids of text without raw added tokens.
  private func encodeText(
    _ text: [UInt8], startsText: Bool, _ scratch: inout EncodingScratch, into ids: inout [Int]
  ) {
    var text = text
    normalizer?.apply(to: &text)
    added.normalized.forEachPart(text.span) { part in
      switch part {
      case .token(let id): ids.append(id)
      case .text(let range):
        let bytes = range.count == text.count ? text : Array(text[range])
        var pieces = Pieces(bytes, startsText: startsText && range.lowerBound == 0)
        preTokenizer?.apply(to: &pieces)
        for piece in pieces.ranges {
          model.encode(pieces.bytes.span, piece, &scratch, into: &ids)
        }
      }
    }
  }

  private func borrowScratch() -> EncodingScratch {
    idle.withLock { $0.popLast() } ?? EncodingScratch()
  }

  private func giveBack(_ scratch: EncodingScratch) {
    idle.withLock { if $0.count < Self.idleLimit { $0.append(scratch) } }
  }

  // MARK: Decoding

  /// Decodes ids to text.
  ///
  /// - Parameters:
  ///   - ids: Any ids of this tokenizer; bytes that do not form characters become U+FFFD, and ids
  ///     that no token has are skipped.
  ///   - skippingSpecialTokens: Whether to omit special tokens from the text.
  /// - Returns: The text, with spaces according to the decoder's rules.
  /// - Throws: ``TokenizerError/Reason/noSuchID(_:)`` if any id is outside the vocabulary.
  /// - Complexity: O(bytes).
  public func decode(
    _ ids: [Int], skippingSpecialTokens: Bool = true
  ) throws(TokenizerError) -> String {
    var decoder = streamingDecoder(skippingSpecialTokens: skippingSpecialTokens)
    var text = ""
    for id in ids { text += try decoder.append(id) }
    return text + decoder.finish()
  }

  /// A decoder for ids that arrive one at a time.
  public func streamingDecoder(skippingSpecialTokens: Bool = true) -> StreamingDecoder {
    StreamingDecoder(self, decoders, skippingSpecialTokens: skippingSpecialTokens)
  }

  // MARK: Tokens

  /// The token of an id as spelled in the vocabulary; `nil` if the id is unused.
  public func token(_ id: Int) -> String? {
    if let token = added.byID[id] { return token.content }
    let tokens = model.vocabulary.tokens
    return tokens.indices.contains(id) ? tokens[id] : nil
  }

  /// The token of an id as passed to the decoders.
  func decodedToken(_ id: Int) -> String? { added.text(id) ?? token(id) }

  /// The id of a token, spelled as in the vocabulary; `nil` if there is none.
  public func id(of token: String) -> Int? {
    added.id(of: token) ?? model.vocabulary.id(of: token).map { Int($0) }
  }

  /// Whether an id is that of a special token, such as the end of a text.
  public func isSpecial(_ id: Int) -> Bool { added.byID[id]?.isSpecial ?? false }
}

/// The parts of a ``Tokenizer``.
struct TokenizerParts {
  var normalizer: Normalizer?
  var preTokenizer: PreTokenizer?
  var model: TokenizerModel
  var addedTokens: [AddedToken] = []
  var postProcessor = PostProcessor()
  var decoders: [TokenDecoder] = [.spaced]
}
