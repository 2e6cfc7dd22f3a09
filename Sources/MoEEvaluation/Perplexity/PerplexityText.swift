public import MoEModels
public import MoETokenizers

/// A text as a protocol reads it.
public struct PerplexityText: Sendable {
  /// Its tokens.
  public var tokens: [Int]
  /// How many bytes of the text each token stands for.
  public var byteCounts: [Int]
  /// The text's length in bytes.
  public var bytes: Int
  /// Words: what white space separates, as the harness counts them.
  public var words: Int
  /// The token that begins a text, if the protocol uses one and the model has one.
  public var first: Int?

  /// Describes a text that is encoded already.
  public init(tokens: [Int], byteCounts: [Int], bytes: Int, words: Int = 0, first: Int? = nil) {
    precondition(
      byteCounts.count == tokens.count, "\(byteCounts.count) lengths of \(tokens.count) tokens")
    (self.tokens, self.byteCounts, self.bytes) = (tokens, byteCounts, bytes)
    (self.words, self.first) = (words, first)
  }

  /// Encodes a text.
  ///
  /// - Parameters:
  ///   - content: The text.
  ///   - model: The model that will read it.
  ///   - tokenizer: Its tokenizer.
  ///   - style: The protocol.
  /// - Throws: `TokenizerError` for tokens that the tokenizer does not have.
  public init(
    _ content: String, for model: StoredModel, _ tokenizer: Tokenizer, by style: PerplexityProtocol
  ) throws {
    let tokens = tokenizer.encode(
      content, addingSpecialTokens: !style.leavesOutSurroundings)
    let first: Int? =
      switch style {
      case .strided, .gptq: nil
      case .lmEval: model.prefixToken(tokenizer)
      // llama.cpp asks whether the tokenizer puts one before a text.
      case .llamaCpp: tokenizer.surroundings.prefix.first
      }
    self.init(
      tokens: tokens, byteCounts: try tokenizer.byteCounts(of: tokens), bytes: content.utf8.count,
      words: HarnessText.words(content), first: first)
  }
}
