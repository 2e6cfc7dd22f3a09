import Foundation
import MoECore
import MoEEvaluation
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@Suite("Perplexity")
struct PerplexityTests {
  private let model: MoEDecoder
  private let tokens: [Int]
  /// Two bytes per token.
  private static let two = [Int](repeating: 2, count: 20)

  init() throws {
    let folder = Fixtures.path("decoders").appending("olmoe")
    model = try MoEDecoder.open(folder)
    tokens = try SafetensorsFile(folder.appending("expected.safetensors"))
      .tensor(named: "tokens")[0].array()
  }

  /// The log-likelihood of one token, given those before it from `begin` on.
  private func surprise(_ place: Int, from begin: Int) -> Double {
    let window = Array(tokens[begin..<place])
    let logits = model(Tensor(window, shape: [1, window.count])).logits[0].at(-1)
    return Double(-logits.logSoftmax(axis: 0).at(tokens[place]).item(as: Float.self))
  }

  @Test("over one window is the mean surprise of all tokens but the first")
  func single() throws {
    let expected = (1..<20).reduce(0.0) { $0 + surprise($1, from: 0) }
    let found = try Perplexity.measure(
      model, PerplexityText(tokens: tokens, byteCounts: Self.two, bytes: 40),
      Perplexity.Settings(context: 20, stride: 20))
    #expect(found.scoredTokens == 19)
    #expect(abs(found.negativeLogLikelihood - expected) < 1e-3)
    #expect(abs(found.perplexity - exp(expected / 19)) < 1e-3 * exp(expected / 19))
    // The first token is not scored, so its two bytes do not count.
    #expect(abs((found.bitsPerByte ?? 0) - expected / log(2) / 38) < 1e-4)
    #expect(found.context == 20 && found.stride == 20)
  }

  @Test("over overlapping windows scores each token once, in the first window that holds it")
  func strided() throws {
    // Windows 0..<8, 3..<11, 6..<14, 9..<17, 12..<20 score up to 8, 11, 14, 17 and 20.
    var expected = (1..<8).reduce(0.0) { $0 + surprise($1, from: 0) }
    for begin in [3, 6, 9, 12] {
      for place in begin + 5..<begin + 8 { expected += surprise(place, from: begin) }
    }
    let found = try Perplexity.measure(
      model, PerplexityText(tokens: tokens, byteCounts: Self.two, bytes: 40),
      Perplexity.Settings(context: 8, stride: 3))
    #expect(found.scoredTokens == 19)
    #expect(abs(found.negativeLogLikelihood - expected) < 1e-3)
  }

  @Test("over windows that do not overlap leaves their first tokens out")
  func disjoint() throws {
    let found = try Perplexity.measure(
      model, PerplexityText(tokens: tokens, byteCounts: Self.two, bytes: 40),
      Perplexity.Settings(context: 5, stride: 5))
    #expect(found.scoredTokens == 16)
    // Four first tokens are not scored; they have 1, 6, 11 and 16 bytes.
    let counts = Array(1...20)
    let uneven = try Perplexity.measure(
      model, PerplexityText(tokens: tokens, byteCounts: counts, bytes: 210),
      Perplexity.Settings(context: 5, stride: 5))
    let bits = uneven.negativeLogLikelihood / log(2)
    #expect(abs((uneven.bitsPerByte ?? 0) - bits / (210 - 34)) < 1e-9)
    let empty = try Perplexity.measure(
      model, PerplexityText(tokens: tokens, byteCounts: tokens.map { _ in 0 }, bytes: 0),
      Perplexity.Settings(context: 5, stride: 5))
    #expect(empty.bitsPerByte == nil)
  }

  @Test("refuses what cannot be measured")
  func refuses() {
    func measure(_ tokens: [Int], _ context: Int, _ stride: Int) throws {
      _ = try Perplexity.measure(
        model, PerplexityText(tokens: tokens, byteCounts: tokens.map { _ in 1 }, bytes: 1),
        Perplexity.Settings(context: context, stride: stride))
    }
    #expect(throws: Perplexity.Failure.textTooShort(tokens: 1, needed: 2)) {
      try measure([1], 8, 8)
    }
    #expect(throws: Perplexity.Failure.self) { try measure(tokens, 1, 1) }
    #expect(throws: Perplexity.Failure.self) { try measure(tokens, 129, 8) }
    #expect(throws: Perplexity.Failure.self) { try measure(tokens, 8, 9) }
    #expect(throws: Perplexity.Failure.self) { try measure(tokens, 8, 0) }
    #expect(throws: Perplexity.Failure.tokenOutsideVocabulary(token: 96, vocabulary: 96)) {
      try measure([1, 96], 8, 8)
    }
  }
}
