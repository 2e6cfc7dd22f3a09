import MoECore
@testable import MoEEvaluation
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@Suite("Protocols of perplexity")
struct WindowReaderTests {
  private static let count = 50
  private static let tokens = (0..<count).map { ($0 * 37 + 11) % 96 }

  private static func model(_ family: String, _ dtype: DType = .f32) throws -> MoEDecoder {
    try MoEDecoder.open(Fixtures.path("decoders").appending(family), dtype: dtype)
  }

  private static func windows(_ style: PerplexityProtocol, first: Int?) -> [PerplexityWindow] {
    style.windows(of: count, context: 16, stride: style == .strided ? 5 : 16, first: first)
  }

  @Test("score the tokens that their programs score, after the tokens that these read")
  func definitions() {
    func described(
      _ style: PerplexityProtocol, first: Int? = nil
    ) -> [(input: [Int], scored: Range<Int>)] {
      Self.windows(style, first: first).map {
        ($0.input(0..<$0.read.count, of: Self.tokens), $0.scored)
      }
    }
    let tokens = Self.tokens
    // Whole windows; what is left over, two tokens, is not read.
    let gptq = described(.gptq)
    #expect(gptq.map(\.scored) == [1..<16, 17..<32, 33..<48])
    #expect(gptq[1].input == Array(tokens[16..<31]))
    // llama-perplexity: from n/2 on, the logits of a position score the next token.
    let llama = described(.llamaCpp, first: 95)
    #expect(llama.map(\.scored) == [9..<16, 25..<32, 41..<48])
    #expect(llama[2].input == [95] + tokens[33..<47])
    #expect(described(.llamaCpp)[2].input == Array(tokens[32..<47]))
    // get_rolling_token_windows and make_disjoint_window of the harness.
    let rolling = described(.lmEval, first: 95)
    #expect(rolling.map(\.scored) == [0..<16, 16..<32, 32..<48, 48..<50])
    #expect(rolling[0].input == [95] + tokens[..<15])
    #expect(rolling[1].input == Array(tokens[15..<31]))
    #expect(rolling[3].input == Array(tokens[33..<49]))
    let short = PerplexityProtocol.lmEval.windows(of: 3, context: 16, stride: 16, first: 95)
    #expect(short.count == 1 && short[0].input(0..<3, of: tokens) == [95] + tokens[..<2])
    let strided = described(.strided)
    #expect(strided.map(\.scored).prefix(2) == [1..<16, 16..<21])
    #expect(strided.reduce(0) { $0 + $1.scored.count } == Self.count - 1)
  }

  /// A pass over each window alone, all positions scored.
  private static func plain(
    _ model: MoEDecoder, _ window: PerplexityWindow
  ) -> (logits: Tensor, loss: Double) {
    let input = window.input(0..<window.read.count, of: tokens)
    let all = withoutGradients { model(Tensor(input, shape: [1, input.count])).logits[0] }
    let logits = all[input.count - window.scored.count..<input.count].cast(to: .f32)
    let targets = Tensor(Array(tokens[window.scored]))
    let losses = logits.crossEntropy(targets: targets, reduction: .none).array(of: Float.self)
    return (logits, losses.reduce(0) { $0 + Double($1) })
  }

  @Test(
    "read windows in pieces and together with the bits that each has alone",
    arguments: PerplexityProtocol.allCases, ["olmoe", "mixtral-window"])
  func pieces(style: PerplexityProtocol, family: String) throws {
    let (model, other) = (try Self.model(family), try Self.model("qwen3_moe"))
    let windows = Self.windows(style, first: 95)
    let expected = windows.map { Self.plain(model, $0) }
    let divergences = zip(windows, expected).flatMap { window, own in
      Divergences.between(Self.plain(other, window).logits, own.logits)
    }
    for rows in [1, 3, 7, 1_024] {
      var (losses, found) = ([Double](), [Double]())
      for window in windows {
        let scores = try WindowReader(Self.tokens, [window], rows: rows)
          .scores(model, beside: other)
        losses += scores.losses
        found += scores.divergences
      }
      #expect(losses == expected.map(\.loss), "\(rows)")
      #expect(found == divergences, "\(rows)")
    }
    let alike = windows.enumerated().filter {
      $1.read.count == windows[1].read.count && $1.scored.count == windows[1].scored.count
    }
    let together = try WindowReader(Self.tokens, alike.map(\.element), rows: 8)
      .scores(model, beside: nil)
    #expect(together.losses == alike.map { expected[$0.offset].loss })
  }

  @Test(
    "measure the same for every batch, with another model beside, and its divergence from itself as 0"
  )
  func batches() throws {
    let (model, other) = (try Self.model("olmoe"), try Self.model("mixtral"))
    let text = PerplexityText(
      tokens: Self.tokens, byteCounts: Self.tokens.map { _ in 1 }, bytes: Self.count, first: 95)
    for style in PerplexityProtocol.allCases {
      func measured(_ batch: Int?, _ reference: MoEDecoder) throws -> Perplexity {
        try Perplexity.measure(
          model, text, Perplexity.Settings(style, context: 16, batch: batch), beside: reference)
      }
      let one = try measured(1, other)
      #expect(try measured(3, other) == one && measured(nil, other) == one)
      #expect(one.divergence?.positions == one.scoredTokens && one.divergence?.mean ?? 0 > 0.1)
      let itself = try measured(2, model).divergence
      #expect(itself?.mean == 0 && itself?.largest == 0)
    }
  }

  @Test("refuse contexts in which nothing is scored, and texts without a first token")
  func refusals() throws {
    let configuration = try Self.model("olmoe").configuration
    func check(_ style: PerplexityProtocol, _ context: Int, count: Int = 50) throws {
      let text = PerplexityText(
        tokens: Array(Self.tokens.prefix(count)), byteCounts: Array(repeating: 1, count: count),
        bytes: count)
      try Perplexity.check(configuration, text, Perplexity.Settings(style, context: context))
    }
    #expect(throws: Perplexity.Failure.self) { try check(.llamaCpp, 2) }
    #expect(throws: Never.self) { try check(.llamaCpp, 3) }
    #expect(throws: Perplexity.Failure.textTooShort(tokens: 50, needed: 52)) {
      try check(.llamaCpp, 26)
    }
    #expect(throws: Perplexity.Failure.textTooShort(tokens: 15, needed: 16)) {
      try check(.gptq, 16, count: 15)
    }
    #expect(throws: Perplexity.Failure.noBeginning) { try check(.lmEval, 16) }
  }
}
