import Foundation
import MoECore
import MoETestSupport
import SystemPackage
import Testing

@testable import MoETokenizers

/// Fixtures: `Tests/Fixtures/make/gguf_tokenizers.py`, whose vocabulary has tokens across all cuts.
@Suite("Rules for cutting texts in GGUF files")
struct GGUFCuttingTests {
  /// The fixture.
  private struct Cutting: Decodable {
    var tokens: [String]
    var merges: [String]
    var texts: [String]
    var ids: [String: [[Int]]]
  }

  private let fixture: Cutting

  init() throws {
    let path = Fixtures.path("gguf").appending("cutting.json")
    fixture = try JSONDecoder().decode(
      Cutting.self, from: Data(contentsOf: URL(filePath: path.string)))
  }

  private func tokenizer(_ name: String?, in folder: TemporaryFolder) throws -> Tokenizer {
    typealias B = GGUFBytes
    let prefix = "tokenizer.ggml."
    var parts = B()
    parts.keys = [
      B.key(prefix + "model", "gpt2"), B.key(prefix + "tokens", fixture.tokens),
      B.key(prefix + "merges", fixture.merges),
      B.key(prefix + "add_bos_token", 7, [0]),
    ]
    if let name { parts.keys.append(B.key(prefix + "pre", name)) }
    return try Tokenizer(try folder.write(parts.bytes, to: "tokenizer.gguf"))
  }

  @Test("give llama.cpp's tokens")
  func tokens() throws {
    let folder = try TemporaryFolder()
    let known = Set(GGUFCutting.allCases.flatMap(\.names))
    #expect(known.subtracting(fixture.ids.keys) == ["gpt2"])
    for (name, ids) in fixture.ids {
      let tokenizer = try tokenizer(name, in: folder)
      for (text, ids) in zip(fixture.texts, ids) {
        #expect(tokenizer.encode(text) == ids, "\(name): \(text)")
      }
    }
  }

  @Test("are those of the name 'default' where a file has none")
  func unnamed() throws {
    let folder = try TemporaryFolder()
    let tokenizer = try tokenizer(nil, in: folder)
    for (text, ids) in zip(fixture.texts, try #require(fixture.ids["default"])) {
      #expect(tokenizer.encode(text) == ids, "\(text)")
    }
    #expect(fixture.ids["default"] != fixture.ids["gpt-2"])
  }

  @Test("of other names are refused with the names that are known")
  func unknown() throws {
    let folder = try TemporaryFolder()
    let error = #expect(throws: GGUFError.self) { try tokenizer("viking", in: folder) }
    for name in ["'viking'", "default", "gpt-2", "deepseek-llm", "qwen2", "smollm"] {
      #expect("\(error, default: "")".contains(name))
    }
  }
}

@Suite("Patterns of runs")
struct RunPatternTests {
  @Test("of a fixed length leave shorter runs uncut")
  func fixedLength() throws {
    let scanner = try #require(PatternScanner(expression: "[0-9]{3}"))
    let text = Array("12 1234 1a234567".utf8)
    var matches: [String] = []
    scanner.forEachPiece(text.span, in: 0..<text.count) { range, isMatch in
      if isMatch { matches.append(String(decoding: text[range], as: UTF8.self)) }
    }
    #expect(matches == ["123", "234", "567"])
    #expect(PatternScanner(expression: "[0-9]{2,3}") == nil)
    #expect(PatternScanner(expression: "[0-9]{}") == nil)
  }
}
