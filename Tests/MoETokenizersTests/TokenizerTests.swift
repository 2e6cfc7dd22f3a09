@testable import MoETokenizers
import Foundation
import MoECore
import MoETestSupport
import SystemPackage
import Testing

@Suite("Tokenizers")
struct TokenizerTests {
  /// `a b` merges first, then `ab c`, then `Ġ a`: checked by hand below.
  private static let tiny = #"""
    {"added_tokens": [{"id": 8, "content": "<end>", "special": true, "normalized": false}],
     "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
     "decoder": {"type": "ByteLevel"},
     "post_processor": {"type": "TemplateProcessing",
       "single": [{"Sequence": {"id": "A", "type_id": 0}}, {"SpecialToken": {"id": "<end>", "type_id": 0}}],
       "special_tokens": {"<end>": {"id": "<end>", "ids": [8], "tokens": ["<end>"]}}},
     "model": {"type": "BPE", "unk_token": "?", "fuse_unk": true,
       "vocab": {"a": 0, "b": 1, "c": 2, "Ġ": 3, "ab": 4, "abc": 5, "Ġa": 6, "?": 7},
       "merges": ["a b", ["ab", "c"], "Ġ a"]}}
    """#

  private static func tokenizer(_ json: String) throws -> Tokenizer {
    try Tokenizer(json: Array(json.utf8))
  }

  @Test(
    "encode a tiny vocabulary as by hand",
    arguments: [
      ("", []), ("abc", [5]), ("ab", [4]), ("bc", [1, 2]), ("abab", [4, 4]), ("aab", [0, 4]),
      // In " ab" the pair (a, b) has rank 0 and takes the a from (Ġ, a).
      (" ab", [3, 4]), (" a", [6]), (" ac", [6, 2]), ("abcabc abc", [5, 5, 3, 5]),
      ("xyz", [7]), ("axbx", [0, 7, 1, 7]), ("a<end>b", [0, 8, 1]), ("<end", [7, 7]),
    ] as [(String, [Int])])
  func tinyVocabulary(_ text: String, _ ids: [Int]) throws {
    let tokenizer = try Self.tokenizer(Self.tiny)
    #expect(tokenizer.encode(text, addingSpecialTokens: false) == ids)
    #expect(tokenizer.encode(text) == ids + [8])
  }

  @Test("know their tokens")
  func tokens() throws {
    let tokenizer = try Self.tokenizer(Self.tiny)
    #expect(tokenizer.vocabularyCount == 9)
    #expect(tokenizer.token(6) == "Ġa" && tokenizer.id(of: "Ġa") == 6)
    #expect(tokenizer.token(8) == "<end>" && tokenizer.id(of: "<end>") == 8)
    #expect(tokenizer.isSpecial(8) && !tokenizer.isSpecial(0) && !tokenizer.isSpecial(99))
    #expect(tokenizer.token(9) == nil && tokenizer.token(-1) == nil && tokenizer.id(of: "z") == nil)
    #expect(try tokenizer.decode([6, 8, 4]) == " aab")
    #expect(try tokenizer.decode([6, 8, 4], skippingSpecialTokens: false) == " a<end>ab")
    for id in [9, -1, .max, .min] {
      #expect(throws: TokenizerError(reason: .noSuchID(id))) { try tokenizer.decode([0, id]) }
    }
  }

  @Test(
    "count the bytes that each token stands for", arguments: TokenizerParityTests.families)
  func byteCounts(_ family: String) throws {
    let tokenizer = try Tokenizer(Fixtures.path("tokenizers/\(family).json"))
    var generator = SeededGenerator(seed: 11)
    for _ in 0..<200 {
      let text = RandomText.text(using: &generator)
      let ids = tokenizer.encode(text)
      let counts = try tokenizer.byteCounts(of: ids)
      #expect(counts.count == ids.count && counts.allSatisfy { $0 >= 0 })
      let inner = tokenizer.encode(text, addingSpecialTokens: false)
      let decoded = try tokenizer.decode(inner, skippingSpecialTokens: false)
      #expect(counts.reduce(0, +) == decoded.utf8.count, "\(text.debugDescription)")
    }
  }

  @Test("count the bytes of parts of characters and of special tokens")
  func byteCountsByHand() throws {
    let bytes = try Tokenizer(bytesWithSpecialTokens: ["<end>"])
    #expect(try bytes.byteCounts(of: bytes.encode("é<end>")) == [1, 1, 5])
    // As in Llama 2: a mark that is not in the text, and a character that is spelled in bytes.
    let pieces = try Self.tokenizer(
      #"""
      {"added_tokens": [{"id": 5, "content": "<s>", "special": true}],
       "normalizer": {"type": "Prepend", "prepend": "▁"},
       "decoder": {"type": "Sequence", "decoders": [
         {"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, {"type": "ByteFallback"},
         {"type": "Fuse"}, {"type": "Strip", "content": " ", "start": 1, "stop": 0}]},
       "post_processor": {"type": "TemplateProcessing",
         "single": [{"SpecialToken": {"id": "<s>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
         "special_tokens": {"<s>": {"id": "<s>", "ids": [5], "tokens": ["<s>"]}}},
       "model": {"type": "BPE", "byte_fallback": true, "merges": [],
         "vocab": {"a": 0, "<0xC3>": 1, "<0xA9>": 2, "▁": 3, "<unk>": 4}}}
      """#)
    #expect(pieces.encode("aéa") == [5, 3, 0, 1, 2, 0])
    #expect(try pieces.byteCounts(of: pieces.encode("aéa")) == [0, 0, 1, 1, 1, 1])
  }

  /// Models may choose such ids, for example those between the vocabulary and late added tokens.
  @Test("skip ids of the vocabulary that no token has, as the reference library does")
  func unusedIDs() throws {
    let tokenizer = try Self.tokenizer(
      #"""
      {"added_tokens": [{"id": 5, "content": "<end>", "special": true}],
       "decoder": {"type": "ByteLevel"},
       "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
       "model": {"type": "BPE", "vocab": {"a": 0, "b": 2}, "merges": []}}
      """#)
    #expect(tokenizer.vocabularyCount == 6)
    #expect(try tokenizer.decode([0, 1, 2, 3, 4, 5]) == "ab")
    #expect(try tokenizer.decode([1]) == "")
    var decoder = tokenizer.streamingDecoder()
    #expect(try [0, 4, 2].map { try decoder.append($0) } == ["a", "", "b"])
    #expect(throws: TokenizerError(reason: .noSuchID(6))) { try tokenizer.decode([6]) }
  }

  /// The expected ids are those of the tokenizers library 0.23; 0…2 are x, y and the space.
  @Test(
    "find added tokens in white space that another one includes",
    arguments: [
      ([("<r>", "rstrip"), ("  ", "")], "x<r>  y", [0, 4, 5, 1]),
      ([("<r>", "rstrip"), (" ", "")], "x<r>  y", [0, 4, 5, 5, 1]),
      // The tab ends what the first token includes, so the space after it is text again.
      ([("<r>", "rstrip"), ("\t", "")], "x<r> \t y", [0, 4, 5, 2, 1]),
      ([("<l>", "lstrip"), (" ", "")], "x  <l>  y", [0, 5, 5, 4, 5, 5, 1]),
      ([("<r>", "rstrip"), ("  ", "rstrip")], "x<r>   \n  y", [0, 4, 5, 5, 1]),
      ([("<r>", "rstrip"), ("\n", "")], "x<r>\n\n  y", [0, 4, 5, 5, 2, 2, 1]),
      // What includes white space before it gets only what is left of it, and is none of nothing.
      ([("<r>", "rstrip"), ("  ", "lstrip")], "x<r>  y", [0, 4, 1]),
      ([("<r>", "rstrip"), ("  ", "lstrip rstrip")], "x<r>   y", [0, 4, 1]),
      ([("<r>", "rstrip"), ("<l>", "lstrip")], "x<r>  <l>y", [0, 4, 5, 1]),
      ([("<r>", ""), ("  ", "lstrip")], "x<r>   y", [0, 4, 5, 2, 1]),
      ([("  ", "lstrip rstrip"), ("<r>", "rstrip")], "<r>     y   <r> y", [5, 1, 4, 5, 1]),
    ] as [([(String, String)], String, [Int])])
  func nestedSpace(_ added: [(String, String)], _ text: String, _ ids: [Int]) throws {
    let tokens = added.enumerated().map { place, token in
      let strip = token.1.split(separator: " ").map { #""\#($0)": true, "# }.joined()
      return
        #"{"id": \#(4 + place), "content": \#(token.0.jsonQuoted), \#(strip)"special": true}"#
    }
    let tokenizer = try Self.tokenizer(
      #"""
      {"added_tokens": [\#(tokens.joined(separator: ", "))],
       "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false},
       "model": {"type": "BPE", "vocab": {"x": 0, "y": 1, "Ġ": 2, "Ċ": 3}, "merges": []}}
      """#)
    #expect(tokenizer.encode(text) == ids)
  }

  @Test("distinguish accents that Swift's strings consider equal")
  func canonicalEquivalents() throws {
    let json =
      "{\"model\": {\"type\": \"BPE\", \"vocab\": {\"\u{E9}\": 0, \"e\": 1, \"\u{301}\": 2, "
      + "\"e\u{301}\": 3}, \"merges\": [\"e \u{301}\"]}}"
    let tokenizer = try Self.tokenizer(json)
    #expect(tokenizer.encode("\u{E9}") == [0])
    #expect(tokenizer.encode("e\u{301}") == [3])
    #expect(tokenizer.id(of: "\u{E9}") == 0 && tokenizer.id(of: "e\u{301}") == 3)
  }

  @Test("of bytes give each byte its value")
  func bytes() throws {
    let tokenizer = try Tokenizer(bytesWithSpecialTokens: ["<pad>", "<end>"])
    #expect(tokenizer.vocabularyCount == 258)
    #expect(tokenizer.encode("é<end>\0") == [0xC3, 0xA9, 257, 0])
    let all = Array(UInt8.min...UInt8.max)
    #expect(tokenizer.encode(bytes: all) == all.map { Int($0) })
    #expect(try tokenizer.decode([0x41, 0xFF, 257, 0x42]) == "A\u{FFFD}B")
    #expect(throws: TokenizerError.self) { try Tokenizer(bytesWithSpecialTokens: ["a"]) }
    #expect(throws: TokenizerError.self) { try Tokenizer(bytesWithSpecialTokens: ["<a>", "<a>"]) }
  }

  @Test("repair invalid UTF-8 if they cannot encode it")
  func invalidText() throws {
    let tokenizer = try Tokenizer(Fixtures.path("tokenizers/llama2.json"))
    #expect(tokenizer.encode(bytes: [0x61, 0xFF]) == tokenizer.encode("a\u{FFFD}"))
  }

  @Test("accept any bytes", arguments: TokenizerParityTests.families)
  func anyBytes(_ family: String) throws {
    let tokenizer = try Tokenizer(Fixtures.path("tokenizers/\(family).json"))
    var generator = SeededGenerator(seed: 9)
    for _ in 0..<300 {
      let bytes = (0..<Int.random(in: 0...40, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      _ = try tokenizer.decode(tokenizer.encode(bytes: bytes))
    }
  }

  @Test("decode what they encoded", arguments: ["gpt2", "llama3", "deepseek"])
  func roundTrip(_ family: String) throws {
    let tokenizer = try Tokenizer(Fixtures.path("tokenizers/\(family).json"))
    var generator = SeededGenerator(seed: 7)
    for _ in 0..<1_000 {
      let text = RandomText.text(using: &generator)
      let ids = tokenizer.encode(text, addingSpecialTokens: false)
      #expect(Array(try tokenizer.decode(ids).utf8) == Array(text.utf8))
    }
  }

  @Test(
    "decode in parts what they decode as a whole", arguments: TokenizerParityTests.families)
  func streaming(_ family: String) throws {
    let tokenizer = try Tokenizer(Fixtures.path("tokenizers/\(family).json"))
    let known = (0..<tokenizer.vocabularyCount).filter { tokenizer.token($0) != nil }
    var generator = SeededGenerator(seed: 8)
    for length in 0..<120 {
      let ids = (0..<length).map { _ in known.randomElement(using: &generator) ?? 0 }
      var decoder = tokenizer.streamingDecoder()
      var text = ""
      for id in ids {
        let part = try decoder.append(id)
        #expect(String(validating: part.utf8, as: UTF8.self) != nil)
        text += part
      }
      text += decoder.finish()
      #expect(try tokenizer.decode(ids) == text)
    }
  }

  @Test("stream characters as soon as they are complete")
  func wholeCharacters() throws {
    var decoder = try Tokenizer(bytesWithSpecialTokens: []).streamingDecoder()
    // 漢 is E6 BC A2; then an unfinished emoji that a letter breaks off; then half of é.
    let parts = try [0xE6, 0xBC, 0xA2, 0xF0, 0x9F, 0x61, 0xC3].map { try decoder.append($0) }
    #expect(parts == ["", "", "漢", "", "", "\u{FFFD}a", ""])
    #expect(decoder.finish() == "\u{FFFD}")
    #expect(decoder.finish() == "")
  }

  @Test("handle hostile text in reasonable time", arguments: TokenizerParityTests.families)
  func hostileText(_ family: String) throws {
    let tokenizer = try Tokenizer(Fixtures.path("tokenizers/\(family).json"))
    for unit in ["a", " ", "\n", "\u{301}\u{316}", "漢", "'", "\u{1F469}\u{200D}", "\0", "▁"] {
      let text = String(repeating: unit, count: 5_000)
      #expect(!tokenizer.encode(text + "x").isEmpty)
    }
    #expect(tokenizer.encode("").count <= 2)
  }

  @Test("may be used by several threads at once")
  func threads() async throws {
    let tokenizer = try Tokenizer(Fixtures.path("tokenizers/gpt2.json"))
    let lines = try Array(TokenizerFixture.lines().prefix(300))
    let expected = lines.map { tokenizer.encode($0) }
    await withTaskGroup(of: [[Int]].self) { group in
      for _ in 0..<8 { group.addTask { lines.map { tokenizer.encode($0) } } }
      for await found in group { #expect(found == expected) }
    }
  }

  @Test(
    "of GPT-2 are read from two files", .enabled(if: RealTokenizers.exist, RealTokenizers.missing))
  func gpt2() throws {
    let tokenizer = try Tokenizer(RealTokenizers.gpt2)
    #expect(tokenizer.vocabularyCount == 50_257)
    #expect(tokenizer.encode("Hello world") == [15496, 995])
    #expect(tokenizer.encode("<|endoftext|>") == [50256])
    for line in try TokenizerFixture.lines().prefix(300) where !line.contains("<|end") {
      #expect(try tokenizer.decode(tokenizer.encode(line)) == line)
    }
  }
}

/// Text of all kinds of characters.
enum RandomText {
  private static let ranges: [ClosedRange<UInt32>] = [
    0...0x7F, 0x20...0x7E, 0x61...0x7A, 0x61...0x63, 0x80...0x7FF, 0x300...0x330, 0x3040...0x30FF,
    0x4E00...0x4E10, 0x800...0xD7FF, 0xE000...0xFFFF, 0x1F300...0x1F6FF, 0x10000...0x10FFFF,
  ]

  static func text(using generator: inout SeededGenerator) -> String {
    var text = String.UnicodeScalarView()
    for _ in 0..<Int.random(in: 0...24, using: &generator) {
      let range = ranges.randomElement(using: &generator) ?? 0x61...0x7A
      let value = UInt32.random(in: range, using: &generator)
      text.append(Unicode.Scalar(value) ?? " ")
    }
    return String(text)
  }
}
