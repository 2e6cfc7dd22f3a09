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
  /// Places in the text; -1 is the place before it.
  var read: Range<Int>
  /// A token in the place of the first one.
  var head: Int?
  /// Places in the text.
  var scored: Range<Int>

  /// The inputs in a range that counts from the window's first.
  func input(_ range: Range<Int>, of tokens: [Int]) -> [Int] {
    range.map { $0 == 0 ? head ?? tokens[read.lowerBound] : tokens[read.lowerBound + $0] }
  }
}

extension PerplexityProtocol {
  /// The windows of a text that score at least one token.
  ///
  /// - Parameters:
  ///   - count: The number of the text's tokens.
  ///   - context: Tokens per window, at least 2.
  ///   - stride: Tokens between the starts of windows, in 1…context; only ``strided`` has another than the context.
  ///   - first: The token that begins a text; ``lmEval`` needs one, and ``llamaCpp`` puts it in the place of each
  ///     window's first if there is one.
  /// - Returns: The windows, in the order of the text.
  func windows(of count: Int, context: Int, stride: Int, first: Int?) -> [PerplexityWindow] {
    switch self {
    case .strided: Self.strided(count, context, stride)
    case .gptq: Self.whole(count, context, head: nil, skipping: 1)
    case .llamaCpp: Self.whole(count, context, head: first, skipping: context / 2 + 1)
    case .lmEval: first.map { Self.rolling(count, context, $0) } ?? []
    }
  }

  private static func strided(
    _ count: Int, _ context: Int, _ stride: Int
  ) -> [PerplexityWindow] {
    var windows: [PerplexityWindow] = []
    var (begin, done) = (0, 0)
    while done < count {
      let end = min(begin + context, count)
      let first = max(done, begin + 1)
      if first < end { windows.append(.init(read: begin..<end - 1, scored: first..<end)) }
      done = end
      begin += stride
    }
    return windows
  }

  /// Windows of the full length one after another; what is left over is not read.
  private static func whole(
    _ count: Int, _ context: Int, head: Int?, skipping skipped: Int
  ) -> [PerplexityWindow] {
    Swift.stride(from: 0, through: count - context, by: context).map { begin in
      let end = begin + context
      return .init(read: begin..<end - 1, head: head, scored: begin + skipped..<end)
    }
  }

  /// Windows that score as many tokens as they read; the last one begins so early that it is full.
  private static func rolling(_ count: Int, _ context: Int, _ first: Int) -> [PerplexityWindow] {
    Swift.stride(from: 0, to: count, by: context).map { begin in
      let end = min(begin + context, count)
      let start = max(-1, end - 1 - context)
      return .init(read: start..<end - 1, head: start < 0 ? first : nil, scored: begin..<end)
    }
  }
}
