public import MoETokenizers

/// Converts texts, or pairs of texts, to the tokens that an encoder expects.
///
///     [CLS] first [SEP]            or            [CLS] first [SEP] second [SEP]
///
/// The tokens around a text are those of the tokenizer's post-processor, or `[CLS]` and `[SEP]` if
/// it has none and they are in the vocabulary.
public struct TextPreparation: Sendable {
  private let tokenizer: Tokenizer
  private let prefix: [Int]
  private let suffix: [Int]
  /// The most tokens of a text, including those around it.
  public let limit: Int

  /// Creates a preparation.
  ///
  /// - Parameters:
  ///   - tokenizer: The encoder's tokenizer.
  ///   - limit: The most tokens of a text; at least 8.
  public init(_ tokenizer: Tokenizer, limit: Int) {
    precondition(limit >= 8, "texts of at most \(limit) tokens")
    (self.tokenizer, self.limit) = (tokenizer, limit)
    let own = tokenizer.surroundings
    let isSilent = own.prefix.isEmpty && own.suffix.isEmpty
    prefix = isSilent ? tokenizer.id(of: "[CLS]").map { [$0] } ?? [] : own.prefix
    suffix = isSilent ? tokenizer.id(of: "[SEP]").map { [$0] } ?? [] : own.suffix
  }

  /// A text's tokens.
  public struct Prepared: Hashable, Sendable {
    /// The tokens, at most the limit.
    public var text: TokenizedText
    /// Whether the text was truncated.
    public var isTruncated: Bool
  }

  /// Encodes a text or a pair.
  ///
  /// - Parameters:
  ///   - first: The text.
  ///   - second: The second text of a pair.
  /// - Returns: The tokens; if a pair is too long, the longer text is truncated, and both if each is
  ///   longer than half of the limit. `nil` if nothing
  ///   is left of the text, for example if it has only control characters.
  public func callAsFunction(_ first: String, _ second: String? = nil) -> Prepared? {
    var parts = [first, second].compactMap { $0 }.map {
      tokenizer.encode($0, addingSpecialTokens: false)
    }
    guard parts.allSatisfy({ !$0.isEmpty }) else { return nil }
    let space = max(0, limit - prefix.count - parts.count * suffix.count)
    let isTruncated = parts.reduce(0) { $0 + $1.count } > space
    let lengths = Self.lengths(of: parts.map(\.count), in: space)
    for (index, length) in lengths.enumerated() {
      parts[index] = Array(parts[index].prefix(length))
    }
    let start = prefix + parts[0] + suffix
    let ids = parts.count == 2 ? start + parts[1] + suffix : start
    return Prepared(
      text: TokenizedText(ids, secondStart: start.count), isTruncated: isTruncated)
  }

  /// The numbers of tokens that remain of one or two texts.
  ///
  /// Of a pair, the longer text is shortened until both are equally long, then both. If the space is
  /// odd, the longer text keeps one more, and of equally long ones the second: `longest_first` of
  /// the tokenizers library.
  static func lengths(of counts: [Int], in space: Int) -> [Int] {
    guard counts.count == 2 else { return counts.map { min($0, space) } }
    guard counts[0] + counts[1] > space else { return counts }
    let shorter = counts[0] > counts[1] ? 1 : 0
    let kept = min(counts[shorter], space / 2)
    return shorter == 0 ? [kept, space - kept] : [space - kept, kept]
  }
}
