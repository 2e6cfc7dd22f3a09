import MoEModels
import MoETokenizers

/// A request as tokens.
struct EncodedRequest: Hashable, Sendable {
  /// What the model reads, and at the end what is scored but not read: the last token.
  var tokens: [Int]
  /// The place of the first token that is scored, at least 1.
  var start: Int
  /// Tokens that were cut off on the left because the model does not read so many.
  var cut: Int

  /// What the model reads.
  var inputs: ArraySlice<Int> { tokens.dropLast() }
}

/// Turns contexts and what follows them into tokens, as the harness does for causal models.
///
/// Both are encoded together, and what is left after the context's own tokens is scored. White space at the end of a
/// context is scored with what follows, because most tokenizers join it to the next word. Tokens that the tokenizer puts
/// before a text stand there once, and not if the text already begins with them; those that it puts behind are left
/// out. What is too long is cut on the left.
struct RequestEncoder {
  private let tokenizer: Tokenizer
  private let context: Int
  /// What stands for an empty context; `nil` if the model has no such token.
  private let first: Int?
  /// The tokens that stand before each text.
  let leading: [Int]

  /// Prepares to encode for a model.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - tokenizer: Its tokenizer.
  init(_ model: StoredModel, _ tokenizer: Tokenizer) {
    self.tokenizer = tokenizer
    context = model.configuration.contextLength
    leading = tokenizer.surroundings.prefix
    first = model.prefixToken(tokenizer)
  }

  /// The tokens of a request of a question.
  ///
  /// - Throws: ``TaskError`` if nothing is scored, or more than the model reads.
  func encode(
    _ request: TaskRequest, of question: TaskQuestion
  ) throws(TaskError) -> EncodedRequest {
    var (before, scored) = try parted(request, question)
    guard !scored.isEmpty else {
      throw .nothingToScore(question.path, line: question.line)
    }
    guard scored.count <= context else {
      throw .tooLong(
        question.path, line: question.line, tokens: scored.count, context: context)
    }
    // The last token is not read, so one more fits.
    let cut = max(0, before.count + scored.count - (context + 1))
    before.removeFirst(cut)
    return EncodedRequest(tokens: before + scored, start: before.count, cut: cut)
  }

  private func parted(
    _ request: TaskRequest, _ question: TaskQuestion
  ) throws(TaskError) -> (before: [Int], scored: [Int]) {
    guard !request.context.isEmpty else {
      let scored = tokenizer.encode(request.continuation, addingSpecialTokens: false)
      guard let first else { throw .noBeginning(question.path, line: question.line) }
      return scored.first == first ? ([first], Array(scored.dropFirst())) : ([first], scored)
    }
    let (text, space) = HarnessText.partingTrailingSpace(request.context)
    let all = encode(text + space + request.continuation)
    return splitting(all, at: encode(text).count)
  }

  private func splitting(_ tokens: [Int], at place: Int) -> (before: [Int], scored: [Int]) {
    let place = min(place, tokens.count)
    // A context of white space alone has no tokens; then the first token is what is read.
    return place > 0
      ? (Array(tokens[..<place]), Array(tokens[place...]))
      : first.map { ([$0], tokens) } ?? (Array(tokens.prefix(1)), Array(tokens.dropFirst()))
  }

  private func encode(_ text: String) -> [Int] {
    let ids = tokenizer.encode(text, addingSpecialTokens: false)
    return ids.starts(with: leading) ? ids : leading + ids
  }
}
