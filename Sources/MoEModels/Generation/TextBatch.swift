import Foundation
public import MoECore
import MoETensor

/// A text to be continued.
public struct TextRequest: Sendable {
  /// A name that no other text of a batch has.
  public var id: String
  /// Tokens, at least one, all in the vocabulary.
  public var prompt: [Int]
  /// Chooses the tokens.
  public var sampler: Sampler
  /// The most tokens to add.
  public var limit: Int
  /// Tokens, those of the prompt included, at which the text is full; `nil` if it never is.
  public var context: Int?

  /// Describes a text.
  public init(
    id: String = "1", prompt: [Int], sampler: Sampler, limit: Int = .max, context: Int? = nil
  ) {
    (self.id, self.prompt, self.sampler) = (id, prompt, sampler)
    (self.limit, self.context) = (limit, context)
  }
}

/// Why a text ended.
public enum TextEnd: String, Hashable, Codable, Sendable, CaseIterable {
  /// The model ended it.
  case end
  /// A stop text was found.
  case stop
  /// It has as many tokens as were asked for.
  case maxTokens = "max_tokens"
  /// The model's context is full.
  case context
}

/// Continues several texts together: each pass reads the weights once for all of them.
///
/// A text's tokens depend on its own request alone: not on the others, not on when they come and go, and not on how
/// prompts are divided (`Documentation/decisions/0014-company.md`). Prompts are read in parts, so that texts in the
/// making go on beside long ones.
public final class TextBatch {
  /// What happened to a text.
  public enum Event {
    /// A token was added.
    case token(Int, logProbability: Float?)
    /// It ended.
    case end(TextEnd)
    /// The model's scores mean nothing.
    case failure(NonFiniteScores)
  }

  private final class Text {
    let request: TextRequest
    let cache: KeyValueCache
    var history: [Int]
    /// Tokens of the history that have not been read.
    var unread: Int { history.count - cache.count }
    var made: Int { history.count - request.prompt.count }

    init(_ request: TextRequest, cache: KeyValueCache) {
      (self.request, self.cache, history) = (request, cache, request.prompt)
    }
  }

  private let model: MoEDecoder
  private let tokenCount: Int
  private let chunk: Int
  private let wantsLogProbabilities: Bool
  private let observer: (any RoutingObserver)?
  private var texts: [Text] = []

  /// Tokens of prompts that are read at a time where no other number is given.
  public static let usualChunk = 512

  /// Prepares an empty batch.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - tokenCount: Number of tokens to choose from, starting at 0: those that the tokenizer knows. Many models have
  ///     more, which only pad a matrix. `nil` for all.
  ///   - chunk: The most tokens of prompts that are read in one pass, at least 1, which bounds the memory of reading
  ///     them.
  ///   - wantsLogProbabilities: Whether to report what the model thought of each token, before temperature and cuts.
  ///   - observer: Notified which experts the tokens chose, if given. The last token of a text is never read, so it is
  ///     never reported.
  public init(
    _ model: MoEDecoder, tokenCount: Int? = nil, chunk: Int = usualChunk,
    wantsLogProbabilities: Bool = false, observer: (any RoutingObserver)? = nil
  ) {
    precondition(chunk >= 1, "parts of \(chunk) tokens")
    let vocabulary = model.configuration.vocabularySize
    self.tokenCount = min(tokenCount ?? vocabulary, vocabulary)
    (self.model, self.chunk, self.observer) = (model, chunk, observer)
    self.wantsLogProbabilities = wantsLogProbabilities
  }

  /// Texts that have not ended.
  public var count: Int { texts.count }

  /// Adds a text, which the next step begins to read.
  public func add(_ request: TextRequest) {
    let vocabulary = model.configuration.vocabularySize
    precondition(!request.prompt.isEmpty, "an empty prompt")
    precondition(
      request.prompt.allSatisfy { 0..<vocabulary ~= $0 }, "a token outside 0..<\(vocabulary)")
    precondition(!texts.contains { $0.request.id == request.id }, "two texts \(request.id)")
    texts.append(Text(request, cache: model.makeCache()))
  }

  /// Takes a text out of the batch.
  public func remove(_ id: String) { texts.removeAll { $0.request.id == id } }

  /// Reads a part of the prompts that have not been read, and adds a token to every other text.
  ///
  /// - Returns: What happened, text by text, in the order of the additions among those that have read their prompts.
  public func step() -> [(id: String, event: Event)] {
    // Who has read its prompt now gets a token in this step; who reads the rest of it, too.
    let writing = texts.filter { $0.made > 0 }
    var reading: [(text: Text, count: Int)] = []
    var room = chunk
    for text in texts where text.made == 0 && room > 0 {
      let count = min(text.unread, room)
      reading.append((text, count))
      room -= count
    }
    return pass(reading, as: .prompt) + pass(writing.map { ($0, 1) }, as: .decode)
  }

  /// Reads tokens of several texts, and adds one to those that have none left to read.
  private func pass(
    _ parts: [(text: Text, count: Int)], as arithmetic: Arithmetic
  ) -> [(id: String, event: Event)] {
    guard !parts.isEmpty else { return [] }
    let logits = model.read(
      parts.map { text, count in
        let start = text.cache.count
        return SequencePart(
          tokens: Array(text.history[start..<start + count]), cache: text.cache)
      }, as: arithmetic, observer: observer
    ).logits
    var events: [(id: String, event: Event)] = []
    for (row, part) in parts.enumerated() where part.text.unread == 0 {
      let scores = logits[row][0..<tokenCount].cast(to: .f32).array(of: Float.self)
      events += extend(part.text, scores).map { (part.text.request.id, $0) }
    }
    return events
  }

  private func extend(_ text: Text, _ scores: [Float]) -> [Event] {
    guard scores.allSatisfy(\.isFinite) else {
      remove(text.request.id)
      return [.failure(model.nonFinite(in: text.history))]
    }
    let request = text.request
    let token = request.sampler.choose(
      from: scores, history: text.history, at: text.history.count)
    guard !model.configuration.endTokens.contains(token) else {
      remove(request.id)
      return [.end(.end)]
    }
    text.history.append(token)
    let made = Event.token(
      token, logProbability: wantsLogProbabilities ? Self.logProbability(token, scores) : nil)
    let end: TextEnd? =
      text.made >= request.limit
      ? .maxTokens : request.context.map { text.history.count >= $0 } ?? false ? .context : nil
    guard let end else { return [made] }
    remove(request.id)
    return [made, .end(end)]
  }

  /// The logarithm of a token's share of all exponentials.
  private static func logProbability(_ token: Int, _ scores: [Float]) -> Float {
    let largest = Double(scores.max() ?? 0)
    let sum = scores.reduce(0.0) { $0 + exp(Double($1) - largest) }
    return Float(Double(scores[token]) - largest - log(sum))
  }
}

@available(*, unavailable)
extension TextBatch: Sendable {}
