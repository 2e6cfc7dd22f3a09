@testable import MoETokenizers
import MoECore
import MoETestSupport
import SystemPackage
import Testing

@Suite("Tokenizer files")
struct TokenizerReadingTests {
  @Test("are refused when they are malformed, with the reason")
  func refusesMalformed() throws {
    let folder = try TemporaryFolder()
    #expect(TokenizerCorpus.malformed.count >= 70)
    for (name, text, reason) in TokenizerCorpus.malformed {
      let path = try folder.write(Array(text.utf8), to: "tokenizer.json")
      let error = #expect(throws: TokenizerError.self, "\(name)") { try Tokenizer(path) }
      #expect(error?.path == path)
      #expect(error?.description.contains(reason) ?? false, "\(name): \(error?.description ?? "")")
    }
  }

  @Test("may leave out everything but the model")
  func readsLeast() throws {
    let tokenizer = try Tokenizer(json: Array(TokenizerCorpus.file().utf8))
    #expect(tokenizer.encode("abba") == [2, 1, 0])
    #expect(try tokenizer.decode([2, 1]) == "ab b")
  }

  /// Every mutant is either read, and then encodes and decodes, or refused.
  @Test("changed at random are read or refused")
  func mutants() throws {
    var generator = SeededGenerator(seed: 11)
    let interesting = Array("{}[]\":,0-9\\eu\u{E9}".utf8)
    for family in ["llama2", "bert", "qwen"] {
      let original = try readBytes(Fixtures.path("tokenizers/\(family).json"))
      for _ in 0..<40 {
        var bytes = original
        for _ in 0..<Int.random(in: 1...3, using: &generator) {
          let place = Int.random(in: 0..<bytes.count, using: &generator)
          switch Int.random(in: 0..<3, using: &generator) {
          case 0: bytes[place] = interesting.randomElement(using: &generator) ?? 0
          case 1: bytes.remove(at: place)
          default: bytes.insert(UInt8.random(in: 0...255, using: &generator), at: place)
          }
        }
        guard let tokenizer = try? Tokenizer(json: bytes) else { continue }
        let ids = tokenizer.encode("Some <mask> text, 漢字 and 1,234 \u{1F600}\n")
        _ = try tokenizer.decode(ids)
      }
    }
  }

  @Test("cut short are refused")
  func cutShort() throws {
    let bytes = try readBytes(Fixtures.path("tokenizers/plain.json"))
    for count in stride(from: 0, to: bytes.count - 2, by: 97) {
      #expect(throws: TokenizerError.Reason.self) {
        try Tokenizer(json: Array(bytes.prefix(count)))
      }
    }
  }

  @Test("are found in folders, and missing ones are named")
  func folders() throws {
    let folder = try TemporaryFolder()
    #expect(throws: TokenizerError(path: folder.path, reason: .noTokenizer)) {
      try Tokenizer(folder.path)
    }
    #expect(throws: FileError.notFound(folder.file("x"))) { try Tokenizer(folder.file("x")) }
    _ = try folder.write(Array(#"{"a": 0, "b": 1, "ab": 2}"#.utf8), to: "vocab.json")
    _ = try folder.write(Array("#version: 0.2\r\na b\r\n\n".utf8), to: "merges.txt")
    #expect(try Tokenizer(folder.path).encode("abba") == [2, 1, 0])
    for name in ["vocab.json", "merges.txt"] {
      _ = try folder.write([0xEF, 0xBB, 0xBF] + readBytes(folder.file(name)), to: name)
    }
    #expect(try Tokenizer(folder.path).encode("abba") == [2, 1, 0])
    _ = try folder.write(Array(TokenizerCorpus.file(merges: "[]").utf8), to: "tokenizer.json")
    #expect(try Tokenizer(folder.path).encode("ab") == [0, 1])
  }

  @Test("of merges are refused with the line")
  func merges() throws {
    let folder = try TemporaryFolder()
    let vocabulary = try folder.write(Array(#"{"a": 0, "b": 1, "ab": 2}"#.utf8), to: "v")
    func reason(_ bytes: [UInt8]) throws -> TokenizerError.Reason? {
      let path = try folder.write(bytes, to: "m")
      return #expect(throws: TokenizerError.self) {
        try Tokenizer(vocabulary: vocabulary, merges: path)
      }?.reason
    }
    #expect(
      try reason(Array("#version: 0.2\na b\na x\n".utf8))
        == .unknownToken(key: "line 3", token: "x"))
    #expect(
      try reason(Array("ab\n".utf8))
        == .invalidValue(
          key: "line 1", found: "'ab'", expected: "two tokens with one space between them"))
    #expect(try reason([0x61, 0x20, 0xFF]) == .invalidText)
  }
}
