/// How a text is cut into windows, and which of their tokens are scored: figures of different protocols differ, by a tenth
/// and more, for the same model and text.
public enum PerplexityProtocol: String, Hashable, Codable, Sendable, CaseIterable {
  /// Windows that may overlap, each of which scores what no earlier one did; as transformers' documentation has it.
  case strided
  /// The rolling windows of lm-evaluation-harness: every token is scored, the first after a token that begins a text.
  case lmEval = "lm-eval"
  /// Whole windows of 2,048 tokens that do not overlap, as in the papers on GPTQ and after it.
  case gptq
  /// Whole windows of 512 tokens that do not overlap; only the second half of each is scored, as in llama.cpp.
  case llamaCpp = "llama.cpp"

  /// Tokens per window where no other number is asked for.
  ///
  /// - Parameter limit: What the model reads at most.
  /// - Returns: The number of tokens.
  public func usualContext(limit: Int) -> Int {
    switch self {
    case .strided, .gptq: min(2_048, limit)
    case .lmEval: limit
    case .llamaCpp: min(512, limit)
    }
  }

  /// Whether a text is encoded without the tokens that the tokenizer puts around it.
  public var leavesOutSurroundings: Bool { self == .lmEval }
}

/// Tokens that are read together, and those that are scored: the last inputs predict them, one each.
struct PerplexityWindow {
  var input: [Int]
  /// Places in the text.
  var scored: Range<Int>
}

extension PerplexityProtocol {
  /// The windows of a text that score at least one token.
  ///
  /// - Parameters:
  ///   - tokens: The text's tokens.
  ///   - context: Tokens per window, at least 2.
  ///   - stride: Tokens between the starts of windows, in 1…context; only ``strided`` has another than the context.
  ///   - first: The token that begins a text; ``lmEval`` needs one, and ``llamaCpp`` puts it in the place of each
  ///     window's first if there is one.
  /// - Returns: The windows, in the order of the text.
  func windows(
    of tokens: [Int], context: Int, stride: Int, first: Int?
  ) -> [PerplexityWindow] {
    switch self {
    case .strided: Self.strided(tokens, context, stride)
    case .gptq:
      Self.whole(tokens, context) {
        tokens[$0]
      } scoring: {
        $0 + 1
      }
    case .llamaCpp:
      Self.whole(tokens, context) {
        first ?? tokens[$0]
      } scoring: {
        $0 + context / 2 + 1
      }
    case .lmEval: first.map { Self.rolling(tokens, context, $0) } ?? []
    }
  }

  private static func strided(
    _ tokens: [Int], _ context: Int, _ stride: Int
  ) -> [PerplexityWindow] {
    var windows: [PerplexityWindow] = []
    var (begin, done) = (0, 0)
    while done < tokens.count {
      let end = min(begin + context, tokens.count)
      let first = max(done, begin + 1)
      if first < end {
        windows.append(
          PerplexityWindow(input: Array(tokens[begin..<end - 1]), scored: first..<end))
      }
      done = end
      begin += stride
    }
    return windows
  }

  /// Windows of the full length one after another; what is left over is not read.
  private static func whole(
    _ tokens: [Int], _ context: Int, head: (Int) -> Int, scoring first: (Int) -> Int
  ) -> [PerplexityWindow] {
    Swift.stride(from: 0, through: tokens.count - context, by: context).compactMap { begin in
      let end = begin + context
      guard first(begin) < end else { return nil }
      return PerplexityWindow(
        input: [head(begin)] + tokens[begin + 1..<end - 1], scored: first(begin)..<end)
    }
  }

  /// Windows that score as many tokens as they read; the last one begins so early that it is full.
  private static func rolling(
    _ tokens: [Int], _ context: Int, _ first: Int
  ) -> [PerplexityWindow] {
    let all = [first] + tokens  // The token at a place of the text is one further here.
    return Swift.stride(from: 0, to: tokens.count, by: context).map { begin in
      let end = min(begin + context, tokens.count)
      return PerplexityWindow(
        input: Array(all[max(0, end - context)..<end]), scored: begin..<end)
    }
  }
}
