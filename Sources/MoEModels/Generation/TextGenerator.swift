public import MoECore
import MoETensor

/// Continues a text, token by token.
public struct TextGenerator {
  private let model: MoEDecoder
  private let cache: KeyValueCache
  private var sampler: Sampler
  private var history: [Int]
  private var pending: [Int]
  private let tokenCount: Int
  private let observer: (any RoutingObserver)?

  /// Tokens of the prompt that are read at a time, which bounds the memory of reading it.
  private static let chunk = 512

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
    let vocabulary = model.configuration.vocabularySize
    self.tokenCount = min(tokenCount ?? vocabulary, vocabulary)
    precondition(!prompt.isEmpty, "an empty prompt")
    precondition(prompt.allSatisfy { 0..<vocabulary ~= $0 }, "a token outside 0..<\(vocabulary)")
    self.model = model
    self.observer = observer
    self.sampler = sampler
    cache = KeyValueCache(layers: model.configuration.layers.count)
    (history, pending) = (prompt, prompt)
  }

  /// The next token, or `nil` once the model has ended the text.
  ///
  /// - Throws: ``NonFiniteScores`` when the model's scores mean nothing.
  public mutating func next() throws(NonFiniteScores) -> Int? {
    let scores = withoutGradients { read(pending) }
    guard scores.allSatisfy(\.isFinite) else { throw model.nonFinite(in: history) }
    let token = sampler.choose(from: scores, history: history)
    guard !model.configuration.endTokens.contains(token) else { return nil }
    history.append(token)
    pending = [token]
    return token
  }

  /// Reads tokens and returns the logits of the next one.
  private func read(_ tokens: [Int]) -> [Float] {
    var scores = Tensor.zeros([1])
    for start in stride(from: 0, to: tokens.count, by: Self.chunk) {
      let part = Array(tokens[start..<min(start + Self.chunk, tokens.count)])
      let output = model(
        Tensor(part, shape: [1, part.count]), cache: cache, lastOnly: true, observer: observer)
      scores = output.logits[0].at(-1)
    }
    return scores[0..<tokenCount].cast(to: .f32).array(of: Float.self)
  }
}
