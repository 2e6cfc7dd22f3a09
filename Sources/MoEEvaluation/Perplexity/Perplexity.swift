import Foundation
public import MoECore
public import MoEModels
import MoETensor

/// How well a model predicts a text.
public struct Perplexity: Hashable, Codable, Sendable {
  /// How the text was cut into windows, and which tokens were scored.
  public var `protocol`: PerplexityProtocol
  /// exp of the mean negative log-likelihood per scored token, which may be infinite.
  @FiniteOrNull public var perplexity: Double
  /// The sum of negative log-likelihoods, in nats.
  public var negativeLogLikelihood: Double
  /// The number of scored tokens.
  public var scoredTokens: Int
  /// Bits per byte of text: the total negative log-likelihood over the bytes of the scored tokens,
  /// comparable between tokenizers; `nil` if the scored tokens stand for no text.
  public var bitsPerByte: Double?
  /// exp of the negative log-likelihood per word; only where all of the text is scored, and if it is finite.
  public var wordPerplexity: Double?
  /// exp of the negative log-likelihood per byte; only where all of the text is scored, and if it is finite.
  public var bytePerplexity: Double?
  /// The number of tokens per window.
  public var context: Int
  /// The number of tokens between the starts of windows.
  public var stride: Int
  /// The divergence from another model, if that was requested.
  public var divergence: VerificationReport.Divergence?

  /// Why a text cannot be measured.
  public enum Failure: Error, Hashable, CustomStringConvertible {
    /// The text has too few tokens.
    case textTooShort(tokens: Int, needed: Int)
    /// The window settings are invalid for the model or inconsistent.
    case invalidWindow(context: Int, stride: Int, least: Int, limit: Int)
    /// A token is not in the model's vocabulary: model and tokenizer do not match.
    case tokenOutsideVocabulary(token: Int, vocabulary: Int)
    /// The protocol needs a token that begins a text.
    case noBeginning

    /// What is wrong and what to change.
    public var description: String {
      switch self {
      case .textTooShort(let tokens, let needed):
        "the text has \(NumberText.counted(tokens, "token")); at least \(needed) are needed; take a longer text, or a shorter context"
      case .invalidWindow(let context, let stride, let least, let limit):
        "a context of \(context) with a stride of \(stride) is not possible; the context must be in \(least)…\(limit), and the stride in 1…context"
      case .tokenOutsideVocabulary(let token, let vocabulary):
        "token \(token) is not among the model's \(vocabulary); use the tokenizer that belongs to the model"
      case .noBeginning:
        "the model names no token that begins or ends a text, which the protocol lm-eval needs; take another protocol"
      }
    }
  }

  /// How a text is measured.
  public struct Settings: Hashable, Sendable {
    /// How the text is cut into windows, and which tokens are scored.
    public var style: PerplexityProtocol
    /// The number of tokens per window.
    public var context: Int
    /// The number of tokens between the starts of windows.
    public var stride: Int
    /// Windows that are read together, which changes no digit; `nil` for as many as have 2,048 tokens, and for 1 in types
    /// other than f32 and bf16.
    public var batch: Int?

    /// Chooses settings.
    ///
    /// - Parameters:
    ///   - style: The protocol.
    ///   - context: Tokens per window.
    ///   - stride: Tokens between the starts of windows; `nil` for the context.
    ///   - batch: Windows that are read together, at least 1.
    public init(
      _ style: PerplexityProtocol = .strided, context: Int, stride: Int? = nil, batch: Int? = nil
    ) {
      precondition(batch ?? 1 >= 1, "\(batch ?? 0) windows together")
      (self.style, self.context, self.stride) = (style, context, stride ?? context)
      self.batch = batch
    }
  }

  /// Checks what can be known before a model's weights are read.
  ///
  /// - Throws: ``Failure``.
  public static func check(
    _ configuration: DecoderConfiguration, _ text: PerplexityText, _ settings: Settings
  ) throws(Failure) {
    let (limit, vocabulary) = (configuration.contextLength, configuration.vocabularySize)
    let (context, stride) = (settings.context, settings.stride)
    // The second half of two tokens predicts nothing.
    let least = settings.style == .llamaCpp ? 3 : 2
    guard context >= least, context <= limit, stride >= 1, stride <= context else {
      throw Failure.invalidWindow(context: context, stride: stride, least: least, limit: limit)
    }
    let needed =
      switch settings.style {
      case .strided: 2
      case .lmEval: 1
      case .gptq: context
      // As llama.cpp itself demands.
      case .llamaCpp: 2 * context
      }
    guard text.tokens.count >= needed else {
      throw Failure.textTooShort(tokens: text.tokens.count, needed: needed)
    }
    if settings.style == .lmEval, text.first == nil { throw Failure.noBeginning }
    if let token = text.tokens.first(where: { !(0..<vocabulary ~= $0) }) {
      throw Failure.tokenOutsideVocabulary(token: token, vocabulary: vocabulary)
    }
  }

  /// Measures a model on a text, window by window.
  ///
  /// - Parameters:
  ///   - model: The model.
  ///   - text: The text.
  ///   - settings: How it is measured.
  ///   - reference: A model with the same tokens, whose distributions of the next token the model's are compared with:
  ///     the mean of Σ p · (log p − log q), where p is the reference's.
  ///   - progress: Receives the number of tokens processed so far.
  /// - Returns: The perplexity and related measures.
  /// - Throws: ``Failure``, or `NonFiniteScores` when a model's scores mean nothing.
  /// - SeeAlso: [Perplexity of fixed-length
  ///   models](https://huggingface.co/docs/transformers/perplexity), whose strided definition
  ///   ``PerplexityProtocol/strided`` follows, with every window weighted by its number of scored tokens;
  ///   [lm-evaluation-harness](https://github.com/EleutherAI/lm-evaluation-harness), `loglikelihood_rolling`; GPTQ,
  ///   [arXiv:2210.17323](https://arxiv.org/abs/2210.17323), and its `eval`;
  ///   [llama.cpp](https://github.com/ggml-org/llama.cpp/tree/master/tools/perplexity), `llama-perplexity`.
  public static func measure(
    _ model: MoEDecoder, _ text: PerplexityText, _ settings: Settings,
    beside reference: MoEDecoder? = nil, progress: ProgressHandler = { _ in }
  ) throws -> Perplexity {
    try check(model.configuration, text, settings)
    let windows = settings.style.windows(
      of: text.tokens.count, context: settings.context, stride: settings.stride, first: text.first)
    let together = model.readsTogether && reference?.readsTogether ?? true
    let usual = together ? max(1, 2_048 / settings.context) : 1
    var (sum, divergences) = (0.0, [Double]())
    var rest = windows[...]
    while let first = rest.first {
      // Only the first and the last windows are unlike the others.
      let group = rest.prefix(settings.batch ?? usual).prefix {
        $0.read.count == first.read.count && $0.scored.count == first.scored.count
      }
      rest = rest.dropFirst(group.count)
      let reader = WindowReader(text.tokens, Array(group))
      let found = try withoutGradients { try reader.scores(model, beside: reference) }
      // One after another, so that the total does not depend on the groups.
      for loss in found.losses { sum += loss }
      divergences += found.divergences
      progress(
        Progress(
          "measuring", completed: group.last?.scored.upperBound ?? 0, total: text.tokens.count))
    }
    return Perplexity(
      text, settings, windows, sum, reference.map { _ in .init(divergences) })
  }

  private init(
    _ text: PerplexityText, _ settings: Settings, _ windows: [PerplexityWindow],
    _ sum: Double, _ divergence: VerificationReport.Divergence?
  ) {
    let scored = windows.reduce(0) { $0 + $1.scored.count }
    let scoredBytes = windows.reduce(0) { $0 + text.byteCounts[$1.scored].reduce(0, +) }
    let bytes = text.bytes - text.byteCounts.reduce(0, +) + scoredBytes
    let isWhole = settings.style == .lmEval
    func perUnit(_ count: Int) -> Double? {
      let value = exp(sum / Double(count))
      return count > 0 && value.isFinite ? value : nil
    }
    self.protocol = settings.style
    (perplexity, negativeLogLikelihood) = (exp(sum / Double(scored)), sum)
    scoredTokens = scored
    bitsPerByte = bytes > 0 ? sum / log(2) / Double(bytes) : nil
    wordPerplexity = isWhole ? perUnit(text.words) : nil
    bytePerplexity = isWhole ? perUnit(bytes) : nil
    (context, stride) = (settings.context, settings.stride)
    self.divergence = divergence
  }
}
