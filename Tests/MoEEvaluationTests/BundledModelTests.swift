import MoETokenizers
import Foundation
import MoECore
import MoEEvaluation
import MoEModels
import MoERouting
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

/// The trained model in `Data/bible-moe`: what examples and other tests may rely on.
@Suite("The bundled model")
struct BundledModelTests {
  private static let data = Fixtures.package.appending("Data")

  @Test("predicts its kind of text far better than chance, with all experts at work, unevenly")
  func isTrained() throws {
    let folder = Self.data.appending("bible-moe")
    let model = try MoEDecoder.open(folder)
    let tokenizer = try Tokenizer(folder.appending("tokenizer.json"))
    let text = try String(
      contentsOfFile: Self.data.appending("bible/poems-and-gospels.txt").string, encoding: .utf8)
    let part = String(text.suffix(8000))
    let tokens = tokenizer.encode(part)
    let measured = try Perplexity.measure(
      model,
      PerplexityText(
        tokens: tokens, byteCounts: tokenizer.byteCounts(of: tokens), bytes: part.utf8.count),
      Perplexity.Settings(context: 256, stride: 128))
    // 2,048 tokens by chance; the training run ended at 35 on its own held-out part.
    #expect(measured.perplexity < 60)
    let output = withoutGradients { model(Tensor(Array(tokens.prefix(256)), shape: [1, 256])) }
    #expect(output.sparse.count == 5)
    let loads = output.sparse.map(\.routing.load)
    #expect(loads.allSatisfy { $0.imbalance > 1.2 })
    #expect(loads.allSatisfy { $0.tokens.count == 16 })
  }
}
