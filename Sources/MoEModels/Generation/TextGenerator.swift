public import MoECore

/// Continues one text, token by token.
public struct TextGenerator {
  private let batch: TextBatch

  /// Prepares to continue a prompt.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - prompt: Its tokens, at least one, all in the vocabulary.
  ///   - sampler: Chooses the tokens.
  ///   - tokenCount: Number of tokens to choose from, starting at 0: those that the tokenizer
  ///     knows. Many models have more, which only pad a matrix. `nil` for all.
  ///   - observer: Notified which experts the tokens chose, if given. The last token is never read,
  ///     so it is never reported.
  public init(
    _ model: MoEDecoder, prompt: [Int], sampler: Sampler, tokenCount: Int? = nil,
    observer: (any RoutingObserver)? = nil
  ) {
    batch = TextBatch(model, tokenCount: tokenCount, observer: observer)
    batch.add(TextRequest(prompt: prompt, sampler: sampler))
  }

  /// The next token, or `nil` once the model has ended the text.
  ///
  /// - Throws: ``NonFiniteScores`` when the model's scores mean nothing.
  public mutating func next() throws(NonFiniteScores) -> Int? {
    while batch.count > 0 {
      for (_, event) in batch.step() {
        switch event {
        case .token(let token, _): return token
        case .end: return nil
        case .failure(let error): throw error
        }
      }
    }
    return nil
  }
}
