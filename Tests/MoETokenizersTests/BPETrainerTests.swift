@testable import MoETokenizers
import MoECore
import MoETestSupport
import SystemPackage
import Testing

@Suite("BPE training")
struct BPETrainerTests {
  private static let end = "<|endoftext|>"

  /// Fixtures: `Tests/Fixtures/make/tokenizer_families.py`.
  @Test(
    "writes the same file as the Hugging Face library's training",
    arguments: [("gpt2", SplitPattern.gpt2), ("llama3", SplitPattern.llama3)])
  func sameAsReference(_ name: String, _ pattern: SplitPattern) throws {
    let text = try TokenizerFixture.lines().filter { !$0.contains(Self.end) }
      .joined(separator: "\n")
    let trainer = try BPETrainer(
      vocabularySize: 900, specialTokens: [Self.end], pattern: pattern, minimumFrequency: 2)
    let folder = try TemporaryFolder()
    try trainer.train(on: text).write(to: folder.file("tokenizer.json"))
    let expected = try readBytes(Fixtures.path("tokenizers/trained-\(name).json"))
    #expect(try readBytes(folder.file("tokenizer.json")) == expected)

    let input = try folder.write(Array(text.utf8), to: "text")
    #expect(try Array(trainer.train(on: input).json.utf8) == expected)
  }

  @Test("merges the most frequent pair first, and of equal ones the lower ids")
  func byHand() throws {
    let trainer = try BPETrainer(vocabularySize: 259, minimumFrequency: 1)
    // Pairs: hu 3, ug 3, gs 1, pu 1, un 1; then hu+g 3; then hug+s 1, pu 1, un 1, and p is the lowest.
    let trained = trainer.train(on: "hug\thug\thugs\tpun")
    let learned = trained.tokens[256...].map { String(decoding: $0, as: UTF8.self) }
    #expect(learned == ["hu", "hug", "pu"])
    // Nothing occurs 4 times.
    let strict = try BPETrainer(vocabularySize: 259, minimumFrequency: 4)
    #expect(strict.train(on: "hug\thug\thugs\tpun").merges.isEmpty)
  }

  @Test("learns what a plain trainer learns")
  func sameAsPlainTrainer() throws {
    var generator = SeededGenerator(seed: 5)
    for round in 0..<40 {
      let letters = Array("abc".prefix(1 + round % 3))
      let words = (0..<Int.random(in: 1...30, using: &generator)).map { _ in
        String(
          (0..<Int.random(in: 1...9, using: &generator)).map { _ in
            letters.randomElement(using: &generator) ?? "a"
          })
      }
      let text = words.joined(separator: " ")
      let trainer = try BPETrainer(vocabularySize: 280, minimumFrequency: 1 + round % 3)
      let trained = trainer.train(on: text)
      let plain = PlainTrainer.merges(
        text, limit: 280, minimum: trainer.minimumFrequency, bytes: trained.tokens)
      #expect(trained.merges.map { [$0.left, $0.right] } == plain, "\(text)")
    }
  }

  @Test("splits the text at special tokens and never learns from them")
  func specialTokens() throws {
    let trainer = try BPETrainer(
      vocabularySize: 300, specialTokens: [Self.end, "<x>"], minimumFrequency: 1)
    let text = String(repeating: "ab\(Self.end)cd<x>", count: 50)
    let tokens = trainer.train(on: text).tokens.dropFirst(258)
    #expect(tokens.map { String(decoding: $0, as: UTF8.self) } == ["ab", "cd"])
    let tokenizer = try trainer.train(on: text).tokenizer()
    #expect(tokenizer.encode("ab\(Self.end)cd<x>") == [258, 0, 259, 1])
    #expect(try tokenizer.decode([258, 0, 259, 1]) == "abcd")
  }

  @Test("accepts any bytes, and empty text")
  func anyBytes() throws {
    let folder = try TemporaryFolder()
    let trainer = try BPETrainer(vocabularySize: 300)
    let noise = try folder.write(
      (0..<5_000).map { UInt8(truncatingIfNeeded: $0 * 37) }, to: "noise")
    #expect(try trainer.train(on: noise).tokens.count == 300)
    let empty = try folder.write([], to: "empty")
    #expect(try trainer.train(on: empty).tokens.count == 256)
    #expect(throws: FileError.notFound(folder.file("x"))) {
      try trainer.train(on: folder.file("x"))
    }
  }

  @Test("refuses impossible settings")
  func refusesSettings() {
    func reason(_ body: () throws -> BPETrainer) -> String {
      (#expect(throws: TokenizerError.self) { try body() })?.description ?? ""
    }
    #expect(
      reason { try BPETrainer(vocabularySize: 255) }
        == "vocabularySize is 255; it must be in 256…4194304")
    #expect(reason { try BPETrainer(vocabularySize: .max) }.contains("vocabularySize"))
    #expect(reason { try BPETrainer(vocabularySize: 256, specialTokens: ["<a>"]) }.contains("257"))
    #expect(
      reason { try BPETrainer(vocabularySize: 300, specialTokens: ["<a>", "<a>"]) }
        .contains("duplicates"))
    for token in ["", "a", "é", "Ġa"] {
      #expect(
        reason { try BPETrainer(vocabularySize: 300, specialTokens: [token]) }
          .contains("specialTokens"))
    }
    #expect(
      reason { try BPETrainer(vocabularySize: 300, pattern: .deepSeek) }.contains("pattern"))
    #expect(
      reason { try BPETrainer(vocabularySize: 300, minimumFrequency: 0) }.contains("at least 1"))
  }

  @Test("reports progress")
  func progress() throws {
    var reports: [Progress] = []
    let trainer = try BPETrainer(vocabularySize: 260, minimumFrequency: 1)
    _ = trainer.train(on: "some words, some more words") { reports.append($0) }
    #expect(Set(reports.map(\.activity)) == ["counting words", "learning merges"])
    #expect(reports.allSatisfy { $0.completed <= $0.total })
    #expect(reports.last.map { $0.completed == $0.total } ?? false)
  }
}

/// Learns merges by counting all pairs again after each one.
private enum PlainTrainer {
  /// Ids of the merged pairs; `bytes` holds the bytes' own tokens at the front.
  static func merges(_ text: String, limit: Int, minimum: Int, bytes: [[UInt8]]) -> [[Int]] {
    var tokens = Array(bytes.prefix(256))
    var words = self.words(text).map { word in
      word.map { byte in tokens.firstIndex(of: [byte]) ?? 0 }
    }
    var merges: [[Int]] = []
    while tokens.count < limit {
      var counts: [[Int]: Int] = [:]
      for word in words {
        for pair in zip(word, word.dropFirst()) { counts[[pair.0, pair.1], default: 0] += 1 }
      }
      let best = counts.min {
        ($1.value, $0.key[0], $0.key[1]) < ($0.value, $1.key[0], $1.key[1])
      }
      guard let best, best.value >= minimum else { break }
      let token = tokens[best.key[0]] + tokens[best.key[1]]
      let id = tokens.firstIndex(of: token) ?? tokens.count
      if id == tokens.count { tokens.append(token) }
      if !merges.contains(best.key) { merges.append(best.key) }
      words = words.map { merged($0, best.key, id) }
    }
    return merges
  }

  /// Words of lowercase letters with at most one space before them.
  private static func words(_ text: String) -> [[UInt8]] {
    text.split(separator: " ").enumerated().map { Array(($0 == 0 ? "" : " ").utf8) + $1.utf8 }
  }

  private static func merged(_ word: [Int], _ pair: [Int], _ id: Int) -> [Int] {
    var result: [Int] = []
    var rest = word[...]
    while let first = rest.popFirst() {
      if first == pair[0], rest.first == pair[1] {
        rest.removeFirst()
        result.append(id)
      } else {
        result.append(first)
      }
    }
    return result
  }
}
