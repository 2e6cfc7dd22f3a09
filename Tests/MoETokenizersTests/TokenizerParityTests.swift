@testable import MoETokenizers
import MoECore
import MoETestSupport
import SystemPackage
import Testing

/// Fixtures: `Tests/Fixtures/make/tokenizer_families.py`.
@Suite("Tokenizers, compared with the Hugging Face library")
struct TokenizerParityTests {
  static let families = [
    "gpt2", "roberta", "llama3", "qwen", "deepseek", "folded", "llama2", "mixtral", "legacy",
    "bert", "bert-cased", "plain", "trained-gpt2", "trained-llama3",
  ]
  private let lines: [String]

  init() throws { lines = try TokenizerFixture.lines() }

  private func load(_ family: String) throws -> (Tokenizer, TokenizerFixture) {
    let file = try SafetensorsFile(Fixtures.path("tokenizers.safetensors"))
    let path = Fixtures.path("tokenizers").appending("\(family).json")
    return (try Tokenizer(path), try TokenizerFixture(file, "\(family)/"))
  }

  @Test("give the same ids for 5,000 lines", arguments: families)
  func sameIDs(_ family: String) throws {
    let (tokenizer, fixture) = try load(family)
    #expect(lines.count == 5_000 && fixture.sums.count == lines.count)
    expectSameIDs(tokenizer, fixture)
  }

  @Test("give the same text for ids", arguments: families)
  func sameText(_ family: String) throws {
    let (tokenizer, fixture) = try load(family)
    try expectSameText(tokenizer, fixture)
  }

  @Test(
    "of GPT-NeoX give the same ids and text",
    .enabled(if: RealTokenizers.exist, RealTokenizers.missing))
  func gptNeoX() throws {
    let tokenizer = try Tokenizer(RealTokenizers.gptNeoX)
    let fixture = try TokenizerFixture(
      try SafetensorsFile(Fixtures.path("tokenizers-neox.safetensors")), "")
    expectSameIDs(tokenizer, fixture)
    try expectSameText(tokenizer, fixture)
  }

  private func expectSameIDs(_ tokenizer: Tokenizer, _ fixture: TokenizerFixture) {
    for (line, ids) in zip(lines, fixture.ids) {
      #expect(tokenizer.encode(line) == ids, "\(line.debugDescription)")
    }
    let different = zip(lines, fixture.sums).filter {
      TokenizerFixture.checksum(tokenizer.encode($0)) != $1
    }
    #expect(different.isEmpty, "\(different.count), first \(different.prefix(5).map(\.0))")
  }

  private func expectSameText(_ tokenizer: Tokenizer, _ fixture: TokenizerFixture) throws {
    for (index, line) in lines.prefix(fixture.decoded.count).enumerated() {
      let ids = tokenizer.encode(line)
      let plain = try tokenizer.decode(ids)
      #expect(TokenizerFixture.checksum(plain) == fixture.decoded[index], "\(ids) \(plain)")
      let full = try tokenizer.decode(ids, skippingSpecialTokens: false)
      #expect(TokenizerFixture.checksum(full) == fixture.decodedWithSpecials[index], "\(ids)")
    }
    for (ids, sum) in zip(fixture.random, fixture.randomDecoded) {
      let text = try tokenizer.decode(ids)
      #expect(TokenizerFixture.checksum(text) == sum, "\(ids) \(text)")
    }
  }
}

/// Tokenizers of real models, if the development data are next to the package.
enum RealTokenizers {
  private static let folder = SharedData.path("tokenizers")
  static let gptNeoX = folder.appending("gpt_neox_20b")
  static let gpt2 = folder.appending("gpt2")
  static let missing = SharedData.missing("tokenizers")
  static let exist = (try? gptNeoX.appending("tokenizer.json").stat()) != nil
}
