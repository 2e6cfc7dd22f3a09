public import MoETokenizers

/// Turns texts, or pairs of texts, into the tokens that an encoder reads.
///
///     [CLS] first [SEP]            or            [CLS] first [SEP] second [SEP]
///
/// What stands around a text is what the tokenizer says, or `[CLS]` and `[SEP]` where it says nothing and its vocabulary
/// has them.
public struct TextPreparation: Sendable {
  private let tokenizer: Tokenizer
  private let prefix: [Int]
  private let suffix: [Int]
  /// Most tokens of a text, what stands around it included.
  public let limit: Int

  /// Prepares to encode.
  ///
  /// - Parameters:
  ///   - tokenizer: The encoder's tokenizer.
  ///   - limit: Most tokens of a text; at least 8.
  public init(_ tokenizer: Tokenizer, limit: Int) {
    precondition(limit >= 8, "texts of at most \(limit) tokens")
    (self.tokenizer, self.limit) = (tokenizer, limit)
    let own = tokenizer.surroundingTokens
    let isSilent = own.prefix.isEmpty && own.suffix.isEmpty
    prefix = isSilent ? tokenizer.id(of: "[CLS]").map { [$0] } ?? [] : own.prefix
    suffix = isSilent ? tokenizer.id(of: "[SEP]").map { [$0] } ?? [] : own.suffix
  }

  /// A text's tokens.
  public struct Prepared: Hashable, Sendable {
    /// The tokens, at most the limit.
    public var text: TokenizedText
    /// Whether tokens were cut off.
    public var isTruncated: Bool
  }

  /// Encodes a text or a pair.
  ///
  /// - Parameters:
  ///   - first: The text.
  ///   - second: The second text of a pair.
  /// - Returns: The tokens, of a pair that is too long without the last ones of the longer text; `nil` when nothing
  ///   is left of the text, such as of control characters.
  public func callAsFunction(_ first: String, _ second: String? = nil) -> Prepared? {
    var parts = [first, second].compactMap { $0 }.map {
      tokenizer.encode($0, addingSpecialTokens: false)
    }
    guard parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    let space = limit - prefix.count - parts.count * suffix.count
    var excess = parts.reduce(0) { $0 + $1.count } - space
    let isTruncated = excess > 0
    if parts.count == 2, excess > 0 {
      // The longer text gives way until both are equally long, then both by turns.
      let longer = parts[0].count >= parts[1].count ? 0 : 1
      let lead = min(excess, parts[longer].count - parts[1 - longer].count)
      parts[longer].removeLast(lead)
      excess -= lead
      parts[longer].removeLast((excess + 1) / 2)
      parts[1 - longer].removeLast(excess / 2)
    } else if excess > 0 {
      parts[0].removeLast(excess)
    }
    let start = prefix + parts[0] + suffix
    let ids = parts.count == 2 ? start + parts[1] + suffix : start
    return Prepared(
      text: TokenizedText(ids, secondStart: start.count), isTruncated: isTruncated)
  }
}
