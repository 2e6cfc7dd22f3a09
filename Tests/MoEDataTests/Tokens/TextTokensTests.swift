import Foundation
import MoECore
import MoETestSupport
import MoETokenizers
import SystemPackage
import Testing

@testable import MoEData

@Suite("Tokens of a text, as far as they are needed")
struct TextTokensTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Words, lines, indented code and letters of several scripts, longer than two parts.
  private static let text: String = {
    var generator = SeededGenerator(seed: 3)
    let words = ["the", "Word", "été", "数学", "x1", "  return", "don't", "\t", "42,", "\n", "\n\n"]
    return (0..<600_000).map { _ in words[Int(generator.next() % 11)] }.joined(separator: " ")
  }()

  @Test(
    "are those of the whole text, with the special tokens around it",
    arguments: ["llama3", "qwen", "deepseek", "gpt2", "bert", "llama2"])
  func whole(name: String) throws {
    let tokenizer = try Tokenizer(Fixtures.path("tokenizers/\(name).json"))
    let path = try folder.write(Array(Self.text.utf8), to: "text.txt")
    var tokens = try TextTokens(path, tokenizer)
    var all: [Int] = []
    // Windows that do not divide the parts.
    while case let next = try tokens.next(1_000_003), !next.isEmpty { all += next }
    #expect(all == tokenizer.encode(Self.text))
    #expect(tokens.fractionTaken == 1)
  }

  @Test("come without reading the rest, whatever is in it")
  func prefix() throws {
    let tokenizer = try Tokenizer(Fixtures.path("tokenizers/llama3.json"))
    let broken = Array(Self.text.utf8) + [0xFF]
    let path = try folder.write([0xEF, 0xBB, 0xBF] + broken, to: "text.txt")
    var tokens = try TextTokens(path, tokenizer)
    #expect(try tokens.next(10) == Array(tokenizer.encode(Self.text).prefix(10)))
    #expect(tokens.fractionTaken < 0.01)
    #expect(throws: DataError.self) { while try !tokens.next(100_000).isEmpty {} }
  }

  @Test("name the line of what is not UTF-8")
  func invalid() throws {
    let tokenizer = try Tokenizer(Fixtures.path("tokenizers/llama3.json"))
    let path = try folder.write(Array("a\nb\n".utf8) + [0xFF], to: "text.txt")
    var tokens = try TextTokens(path, tokenizer)
    #expect {
      try tokens.next(10)
    } throws: {
      "\($0)".contains("line 3 is not UTF-8 text (byte 4)")
    }
    let empty = try folder.write([], to: "empty.txt")
    #expect(throws: DataError.empty(empty)) { try TextTokens(empty, tokenizer) }
  }

  @Test(
    "are refused for texts that are long where they cannot be cut", arguments: ["llama2", "llama3"])
  func limit(name: String) throws {
    let tokenizer = try Tokenizer(Fixtures.path("tokenizers/\(name).json"))
    let path = try folder.sparseFile(bytes: FileLimit.undividedText + 1, at: "text.txt")
    var tokens = try TextTokens(path, tokenizer)
    let limit = FileLimit.undividedText
    #expect(throws: DataError.uncut(path, bytes: limit + 1, limit: limit)) {
      try tokens.next(2)
    }
  }
}
