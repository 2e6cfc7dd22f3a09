import Foundation
public import MoECore
public import MoEModels
import MoETensor

/// How well a model predicts a text.
public struct Perplexity: Hashable, Codable, Sendable {
  /// exp of the mean negative log-likelihood per scored token.
  public var perplexity: Double
  /// The sum of negative log-likelihoods, in nats.
  public var negativeLogLikelihood: Double
  /// The number of scored tokens: all but the first, if windows overlap.
  public var scoredTokens: Int
  /// Bits per byte of text: the total negative log-likelihood over the bytes of the scored tokens,
  /// comparable between tokenizers; `nil` if the scored tokens stand for no text.
  public var bitsPerByte: Double?
  /// The number of tokens per window.
  public var context: Int
  /// The number of tokens between the starts of windows.
  public var stride: Int

  /// Why a text cannot be measured.
  public enum Failure: Error, Hashable, CustomStringConvertible {
    /// The text has too few tokens.
    case textTooShort(tokens: Int)
    /// The window settings are invalid for the model or inconsistent.
    case invalidWindow(context: Int, stride: Int, limit: Int)
    /// A token is not in the model's vocabulary: model and tokenizer do not match.
    case tokenOutsideVocabulary(token: Int, vocabulary: Int)

    /// What is wrong and what to change.
    public var description: String {
      switch self {
      case .textTooShort(let tokens):
        "the text has \(NumberText.counted(tokens, "token")); at least 2 are needed to predict one"
      case .invalidWindow(let context, let stride, let limit):
        "a context of \(context) with a stride of \(stride) is not possible; the context must be in 2…\(limit), and the stride in 1…context"
      case .tokenOutsideVocabulary(let token, let vocabulary):
        "token \(token) is not among the model's \(vocabulary); use the tokenizer that belongs to the model"
      }
    }
  }

  /// Checks what can be known before a model's weights are read.
  ///
  /// - Throws: ``Failure``.
  public static func check(
    _ configuration: DecoderConfiguration, tokens: [Int], context: Int, stride: Int
  ) throws(Failure) {
    let (limit, vocabulary) = (configuration.contextLength, configuration.vocabularySize)
    guard tokens.count >= 2 else { throw Failure.textTooShort(tokens: tokens.count) }
    guard context >= 2, context <= limit, stride >= 1, stride <= context else {
      throw Failure.invalidWindow(context: context, stride: stride, limit: limit)
    }
    if let token = tokens.first(where: { !(0..<vocabulary ~= $0) }) {
      throw Failure.tokenOutsideVocabulary(token: token, vocabulary: vocabulary)
    }
  }

  /// Measures a model on a text, window by window.
  ///
  /// Windows of `context` tokens begin every `stride` tokens; each scores the tokens that no
  /// earlier window scored, with the window's preceding tokens as context. Every token but the
  /// text's first is scored once, unless windows do not overlap: then the first token of each
  /// window has no context and is not scored.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - tokens: The text's tokens.
  ///   - bytes: The text's length in bytes.
  ///   - byteCounts: How many of them each token stands for (`Tokenizer.byteCounts(of:)`), so that
  ///     those of tokens that are not scored can be subtracted.
  ///   - context: The number of tokens per window, at most the model's context length.
  ///   - stride: The number of tokens between the starts of windows.
  ///   - batch: Windows that are read together, at least 1, which changes no digit; by default as many as have 2,048
  ///     tokens, which is no more than one usual window; 1 in types other than f32 and bf16.
  ///   - progress: Receives the number of tokens processed so far.
  /// - Returns: The perplexity and related measures.
  /// - Throws: ``Failure``, or `NonFiniteScores` when the model's scores mean nothing.
  /// - SeeAlso: [Perplexity of fixed-length
  ///   models](https://huggingface.co/docs/transformers/perplexity), whose strided definition this
  ///   follows, with every window weighted by its number of scored tokens.
  public static func measure(
    _ model: MoEDecoder, tokens: [Int], bytes: Int, byteCounts: [Int], context: Int, stride: Int,
    batch: Int? = nil, progress: ProgressHandler = { _ in }
  ) throws -> Perplexity {
    precondition(
      byteCounts.count == tokens.count, "\(byteCounts.count) lengths of \(tokens.count) tokens")
    try check(model.configuration, tokens: tokens, context: context, stride: stride)
    precondition(batch ?? 1 >= 1, "\(batch ?? 0) windows together")
    let windows = Self.windows(of: tokens.count, context: context, stride: stride)
    let scored = windows.reduce(0) { $0 + $1.scored.count }
    let unscored =
      byteCounts.reduce(0, +)
      - windows.reduce(0) {
        $0 + byteCounts[$1.scored].reduce(0, +)
      }
    let scoredBytes = bytes - unscored
    // Other types go to libtorch, whose sums depend on the number of rows.
    let usual = [.f32, .bf16].contains(model.dtype) ? max(1, 2_048 / context) : 1
    var sum = 0.0
    var rest = windows[...]
    while let first = rest.first {
      // Only the last windows are shorter than the others.
      let group = rest.prefix(batch ?? usual)
        .prefix { $0.tokens.count == first.tokens.count }
      rest = rest.dropFirst(group.count)
      // One after another, so that the total does not depend on the groups.
      for loss in try withoutGradients({ try losses(model, tokens, Array(group)) }) { sum += loss }
      progress(
        Progress("measuring", completed: group.last?.tokens.upperBound ?? 0, total: tokens.count))
    }
    return Perplexity(
      perplexity: exp(sum / Double(scored)), negativeLogLikelihood: sum, scoredTokens: scored,
      bitsPerByte: scoredBytes > 0 ? sum / log(2) / Double(scoredBytes) : nil, context: context,
      stride: stride)
  }

  /// Tokens that are read together, and those of them that this window scores.
  private struct Window {
    var tokens: Range<Int>
    var scored: Range<Int>
  }

  /// The windows that score at least one token.
  private static func windows(of count: Int, context: Int, stride: Int) -> [Window] {
    var windows: [Window] = []
    var (begin, done) = (0, 0)
    while done < count {
      let end = min(begin + context, count)
      let first = max(done, begin + 1)
      if first < end { windows.append(Window(tokens: begin..<end, scored: first..<end)) }
      done = end
      begin += stride
    }
    return windows
  }

  /// The sums of the negative log-likelihoods of the scored tokens of windows of equal length.
  private static func losses(
    _ model: MoEDecoder, _ tokens: [Int], _ windows: [Window]
  ) throws -> [Double] {
    let length = windows[0].tokens.count
    let input = Tensor(windows.flatMap { tokens[$0.tokens] }, shape: [windows.count, length])
    let logits = model(input).logits  // [windows, positions, vocabulary]
    return try windows.enumerated().map { row, window in
      let first = window.scored.lowerBound - window.tokens.lowerBound
      let predictions = logits[row][first - 1..<length - 1].cast(to: .f32)
      try model.check(predictions, of: Array(tokens[window.tokens]), from: window.tokens.lowerBound)
      let targets = Tensor(Array(tokens[window.scored]))
      return Double(
        predictions.crossEntropy(targets: targets, reduction: .sum).item(as: Float.self))
    }
  }
}
