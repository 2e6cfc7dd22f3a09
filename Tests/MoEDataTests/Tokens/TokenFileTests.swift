@testable import MoEData
import MoETokenizers
import Foundation
import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

@Suite("Token files")
struct TokenFileTests {
  private let folder: TemporaryFolder
  private let tokenizer: Tokenizer
  private static let text = (0..<400).map {
    "Line \($0) of the gate's text.  Größe, 🦊 and\ttabs;\n" + ($0 % 7 == 0 ? "\n\n" : "")
  }.joined()

  init() throws {
    folder = try TemporaryFolder()
    tokenizer = try BPETrainer(vocabularySize: 400, specialTokens: ["<|endoftext|>"])
      .train(on: Self.text).tokenizer()
  }

  private func write(
    _ text: String, as name: String, field: String? = nil, endToken: Int? = 0
  ) throws -> TokenFile {
    let source = try folder.write(Array(text.utf8), to: name)
    let out = folder.file(name + ".safetensors")
    try TokenFileWriter(tokenizer, identity: "this", endToken: endToken)
      .write([TextSource(source, field: field)], to: out)
    return try TokenFile(out, tokenizer: "this")
  }

  @Test("hold the tokens of the text and where documents begin")
  func roundTrip() throws {
    let file = try write(Self.text, as: "text.txt")
    let expected = tokenizer.encode(Self.text, addingSpecialTokens: false) + [0]
    #expect(try file.tokens(in: 0..<file.count) == expected)
    #expect(try file.tokens(in: 5..<9) == Array(expected[5..<9]))
    #expect(try file.documentStarts().array(of: Int.self) == [0])
    #expect(file.origin.bytes == Self.text.utf8.count && file.origin.sources == ["text.txt"])
    let entry = try SafetensorsFile(file.path).entry(named: "tokens")
    #expect(entry.dtype == .u16)
  }

  @Test("take JSONL, one document per line", arguments: ["text", "body"])
  func jsonLines(field: String) throws {
    let documents = ["One gate.", "Two\nlines \"quoted\" 🦊", "", "Three"]
    let lines = try documents.map {
      String(decoding: try JSONEncoder().encode([field: $0, "id": "x"]), as: UTF8.self)
    }
    let file = try write(
      lines.joined(separator: "\n") + "\n\n", as: "text.jsonl", field: field == "text" ? nil : field
    )
    let tokens = documents.map { tokenizer.encode($0, addingSpecialTokens: false) + [0] }
    #expect(try file.tokens(in: 0..<file.count) == tokens.flatMap(\.self))
    let starts = tokens.indices.map { tokens[..<$0].reduce(0) { $0 + $1.count } }
    #expect(try file.documentStarts().array(of: Int.self) == starts)
  }

  @Test("are the same however the text is cut", arguments: [64, 100, 1000])
  func cuts(limit: Int) throws {
    let source = TextSource(try folder.write(Array(Self.text.utf8), to: "text.txt"))
    var (tokens, bytes, parts): ([Int], [UInt8], Int) = ([], [], 0)
    try source.forEachPart(limit: limit, cuts: tokenizer.cuts) { part, _ in
      tokens += tokenizer.encode(bytes: part.bytes, addingSpecialTokens: false)
      bytes += part.bytes
      parts += 1
      #expect(part.beginsDocument == (parts == 1) && part.bytes.count <= 2 * limit)
    }
    #expect(bytes == Array(Self.text.utf8) && parts > 10_000 / limit)
    #expect(tokens == tokenizer.encode(Self.text, addingSpecialTokens: false))
  }

  @Test("do not cut text where a tokenizer might not split it")
  func uncut() throws {
    let cases: [(unit: String, count: Int, cuts: TextCuts, parts: Int)] = [
      ("🦊é", 100, tokenizer.cuts, 1), ("ab cd ", 100, [], 1),
      // No single line feed, and no single space between letters.
      ("ab\n\ncd  ef 1 gh, i \n\u{2003}\n", 50, tokenizer.cuts, 1),
      ("漢字。\n", 8, .afterLine, 8), ("abcdefgh ijklmnop", 4, .beforeSpace, 5),
    ]
    for (unit, count, cuts, expected) in cases {
      let text = String(repeating: unit, count: count)
      let source = TextSource(try folder.write(Array(text.utf8), to: "text.txt"))
      var parts: [[UInt8]] = []
      try source.forEachPart(limit: 10, cuts: cuts) { part, _ in parts.append(part.bytes) }
      #expect(parts.count == expected && parts.flatMap(\.self) == Array(text.utf8), "\(text)")
    }
  }

  /// Pieces of text in which splitting depends on neighbours, some of them added tokens of the fixtures.
  private static let pieces = [
    "a", "b ", " cd", "E", "\n", "\n\n", "  ", " ", "\t", "\r\n", "1", "23", ".", "'s", "é",
    "e\u{301}",
    "漢", "。", "\u{3000}", "\u{A0}", "🦊", "<left>", "<right>", "<both>", "word", "<a>", "<ab>",
    "<|endoftext|>", "</s>", "text of words", "\u{301}", "▁", " of ", "\nthe ",
  ]

  @Test(
    "are the same in parts for every kind of tokenizer, or the text is not cut",
    arguments: [
      ("gpt2", 3), ("llama3", 3), ("deepseek", 3), ("trained-gpt2", 3), ("qwen", 1), ("folded", 1),
      ("roberta", 1), ("bert", 1), ("bert-cased", 1), ("llama2", 0), ("mixtral", 0), ("legacy", 1),
      ("plain", 3),
    ] as [(String, Int)])
  func everyTokenizer(_ name: String, _ kinds: Int) throws {
    let tokenizer = try Tokenizer(Fixtures.path("tokenizers/\(name).json"))
    let cuts = TextCuts(rawValue: kinds)
    #expect(tokenizer.cuts == cuts)
    var generator = SeededGenerator(seed: 21)
    var parts = 0
    for number in 0..<300 {
      let text = (0..<80).map { _ in Self.pieces.randomElement(using: &generator) ?? "" }.joined()
      let source = TextSource(try folder.write(Array(text.utf8), to: "text.txt"))
      var tokens: [Int] = []
      try source.forEachPart(limit: 8 + number % 40, cuts: tokenizer.cuts) { part, _ in
        parts += 1
        tokens += tokenizer.encode(bytes: part.bytes, addingSpecialTokens: false)
      }
      #expect(
        tokens == tokenizer.encode(text, addingSpecialTokens: false), "\(text.debugDescription)")
    }
    #expect(cuts.isEmpty ? parts == 300 : parts > 1_000)
  }

  @Test(
    "separate documents by the tokenizer's own end token",
    arguments: [
      ("llama3", "<|endoftext|>"), ("mixtral", "</s>"), ("llama2", "</s>"), ("deepseek", "</s>"),
      ("roberta", "</s>"), ("qwen", "<|endoftext|>"), ("bert", nil), ("plain", nil),
    ] as [(String, String?)])
  func endTokens(_ name: String, _ expected: String?) throws {
    let tokenizer = try Tokenizer(Fixtures.path("tokenizers/\(name).json"))
    #expect(tokenizer.endToken == expected.flatMap(tokenizer.id))
  }

  @Test(
    "know the end tokens of common families, and of several take the one that ends documents",
    arguments: [
      (["<|begin_of_text|>", "<|eot_id|>", "<|end_of_text|>"], "<|end_of_text|>"),
      (["<|im_start|>", "<|im_end|>", "<|endoftext|>"], "<|endoftext|>"),
      (["<｜begin▁of▁sentence｜>", "<｜end▁of▁sentence｜>"], "<｜end▁of▁sentence｜>"),
      (["<|begin▁of▁sentence|>", "<|end▁of▁sentence|>"], "<|end▁of▁sentence|>"),
      (["<bos>", "<eos>"], "<eos>"), (["<|im_end|>"], "<|im_end|>"),
    ])
  func familyEnds(_ specials: [String], _ expected: String) throws {
    let tokenizer = try Tokenizer(bytesWithSpecialTokens: specials)
    #expect(tokenizer.endToken == tokenizer.id(of: expected) && tokenizer.endToken != nil)
  }

  @Test("of another tokenizer, or of something else, are refused")
  func refusals() throws {
    let file = try write(Self.text, as: "text.txt")
    #expect {
      _ = try TokenFile(file.path, tokenizer: "other")
    } throws: {
      "\($0)".contains("another tokenizer")
    }
    let tensors = folder.file("tensors.safetensors")
    try SafetensorsFile.write(["tokens": Tensor([1, 2])], to: tensors)
    #expect(throws: DataError.self) { try TokenFile(tensors) }
    try SafetensorsFile.write(
      ["tokens": Tensor([1, 2])], metadata: file.metadataForTests, to: tensors)
    #expect { _ = try TokenFile(tensors) } throws: { "\($0)".contains("i64 [2]") }
    try SafetensorsFile.write(
      ["tokens": Tensor([1, 500].map(Int32.init))], metadata: file.metadataForTests, to: tensors)
    let outside = try TokenFile(tensors)
    #expect { _ = try outside.tokens(in: 0..<2) } throws: { "\($0)".contains("token 500") }
  }

  @Test("are not made from files that are not text")
  func badText() throws {
    for (bytes, name, expected) in [
      ([], "empty.txt", "is empty"), ([0x41, 0xFF], "binary.txt", "not UTF-8 text at byte 1"),
      (Array("{\"text\": \"a\"}\nnothing\n".utf8), "bad.jsonl", "line 2 is not a JSON object"),
      (Array("{\"body\": \"a\"}\n".utf8), "other.jsonl", "no text under 'text'; it has 'body'"),
    ] as [([UInt8], String, String)] {
      let path = try folder.write(bytes, to: name)
      let before = try folder.contents()
      #expect {
        try TokenFileWriter(tokenizer, identity: "this", endToken: 0)
          .write([TextSource(path)], to: folder.file("out.safetensors"))
      } throws: {
        "\($0)".contains(expected)
      }
      #expect(try folder.contents() == before)
    }
  }
}

extension TokenFile {
  /// The metadata of this file, to forge others.
  fileprivate var metadataForTests: [String: String] {
    (try? SafetensorsFile(path).header.metadata) ?? [:]
  }
}

@Suite("Windows and their order")
struct TokenWindowTests {
  private let folder: TemporaryFolder
  private let file: TokenFile

  init() throws {
    folder = try TemporaryFolder()
    let path = folder.file("tokens.safetensors")
    let origin =
      #"{"version":1,"tokenizer":"t","vocabulary":1000,"sources":[],"bytes":0}"#
    try SafetensorsFile.write(
      ["tokens": Tensor((0..<101).map(Int32.init))], metadata: ["switchyard": origin], to: path)
    file = try TokenFile(path)
  }

  @Test("windows overlap by the token that one predicts and the next begins with")
  func windows() throws {
    let windows = try TokenWindows(file, context: 10)
    #expect(windows.count == 10)
    #expect(try windows.window(0) == Array(0...10) && windows.window(9) == Array(90...100))
    let part = try TokenWindows(file, range: 50..<72, context: 10)
    #expect(part.count == 2)
    #expect(
      try part.windows([1, 0]).array(of: Int.self) == Array(60...70) + Array(50...60))
  }

  @Test("text shorter than a window is refused")
  func tooShort() {
    #expect {
      _ = try TokenWindows(file, context: 101)
    } throws: {
      "\($0)".contains("gives 101 tokens, but a window needs 102")
    }
    #expect(throws: Never.self) { try TokenWindows(file, context: 100) }
  }

  @Test("every epoch takes every window once, in a new order")
  func passes() {
    var order = ShuffledOrder(count: 50, seed: 3)
    let passes = (0..<4).map { _ in (0..<50).map { _ in order.next() } }
    for pass in passes { #expect(pass.sorted() == Array(0..<50)) }
    #expect(Set(passes).count == 4)
    var other = ShuffledOrder(count: 50, seed: 4)
    #expect((0..<50).map { _ in other.next() } != passes[0])
  }

  @Test("an order continues at any position", arguments: [0, 1, 6, 7, 8, 20, 21])
  func resuming(done: Int) {
    var whole = ShuffledOrder(count: 7, seed: 9)
    for _ in 0..<done { _ = whole.next() }
    var resumed = ShuffledOrder(count: 7, seed: 9, position: whole.position)
    for _ in 0..<30 { #expect(whole.next() == resumed.next()) }
  }
}
