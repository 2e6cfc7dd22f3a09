import Foundation
import MoECore
import MoEData
@testable import MoEEvaluation
import MoEModels
import MoETestSupport
import MoETokenizers
import SystemPackage
import Testing

@Suite("Requests as tokens")
struct RequestEncoderTests {
  private let stored: StoredModel
  private let tokenizer: Tokenizer
  private let encoder: RequestEncoder
  private static let question = TaskQuestion(
    QuestionRow(path: "questions.jsonl", line: 7, fields: [:]),
    .completion(context: "", continuation: ""))

  init() throws {
    (stored, tokenizer) = try HarnessFixture.model()
    encoder = RequestEncoder(stored, tokenizer)
  }

  private func encoded(
    _ context: String, _ continuation: String, by encoder: RequestEncoder? = nil
  ) throws -> EncodedRequest {
    try (encoder ?? self.encoder).encode(
      TaskRequest(context: context, continuation: continuation), of: Self.question)
  }

  @Test("encode context and continuation together, and score what is left of the context's own")
  func together() throws {
    let found = try encoded("the old", " river")
    #expect(found.tokens == tokenizer.encode("the old river"))
    #expect(found.start == tokenizer.encode("the old").count && found.cut == 0)
  }

  @Test("move white space from the end of the context to what is scored")
  func space() throws {
    let found = try encoded("the old ", "river")
    #expect(try found == encoded("the old", " river"))
    let lines = try encoded("the old \n", "river")
    #expect(lines.start == tokenizer.encode("the old").count)
    #expect(lines.tokens == tokenizer.encode("the old \nriver"))
  }

  @Test("read the token that begins or ends a text where the context is empty")
  func empty() throws {
    // The model has no token that begins a text, so the one that ends it stands for that.
    let found = try encoded("", "river")
    #expect(found.tokens == [0] + tokenizer.encode("river") && found.start == 1)
    let twice = try encoded("", "<|endoftext|>river")
    #expect(twice.tokens == found.tokens)
    let blank = try encoded("  ", "river")
    #expect(blank.tokens == [0] + tokenizer.encode("  river"))
  }

  @Test("cut what is too long on the left, and refuse what is scored if it alone is")
  func length() throws {
    let word = " a"
    let long = String(repeating: word, count: 300)
    let found = try encoded("x" + long, word)
    #expect(found.tokens.count == 129 && found.cut > 0 && found.start == 128)
    #expect(throws: TaskError.tooLong("questions.jsonl", line: 7, tokens: 300, context: 128)) {
      try encoded("x", long)
    }
    #expect(throws: TaskError.nothingToScore("questions.jsonl", line: 7)) {
      try encoded("river", "")
    }
  }

  @Test("put the tokenizer's own begin before a text once")
  func beginning() throws {
    let folder = Fixtures.path("tokenizers")
    let names = try FileManager.default.contentsOfDirectory(atPath: folder.string).sorted().filter {
      $0.hasSuffix(".json")
    }
    let own = try #require(
      names.lazy.compactMap { try? Tokenizer(folder.appending($0)) }
        .first { $0.surroundings.prefix.count == 1 && $0.surroundings.suffix.isEmpty })
    let encoder = RequestEncoder(stored, own)
    let begin = own.surroundings.prefix
    #expect(encoder.leading == begin)
    let found = try encoded("the old", " river", by: encoder)
    #expect(found.tokens == own.encode("the old river") && found.tokens.starts(with: begin))
    let spelled = try encoded((own.token(begin[0]) ?? "") + "the old", " river", by: encoder)
    #expect(spelled.tokens.count { $0 == begin[0] } == 1)
  }

  @Test(
    "take the BOS token of tokenizer_config.json, else its EOS token, and none outside of the vocabulary"
  )
  func prefixTokens() throws {
    let folder = try TemporaryFolder()
    for name in ["config.json", "model.safetensors", "tokenizer.json"] {
      _ = try folder.write(
        readBytes(HarnessFixture.folder.appending("model").appending(name)), to: name)
    }
    func token(_ settings: String?, configuration: String? = nil) throws -> Int? {
      if let settings {
        _ = try folder.write(Array(settings.utf8), to: "tokenizer_config.json")
      }
      if let configuration {
        let text = String(
          decoding: try readBytes(HarnessFixture.folder.appending("model/config.json")),
          as: UTF8.self)
        let changed = text.replacingOccurrences(of: "\"bos_token_id\": null,", with: "")
          .replacingOccurrences(of: "\"eos_token_id\": 0", with: configuration)
        _ = try folder.write(Array(changed.utf8), to: "config.json")
      }
      let stored = try StoredModel(folder.path)
      return stored.prefixToken(try stored.tokenizer())
    }
    #expect(try token(nil) == 0)
    #expect(try token(#"{"bos_token": "a", "eos_token": "b"}"#) == tokenizer.id(of: "a"))
    #expect(
      try token(#"{"bos_token": {"content": "a"}, "eos_token": "b"}"#) == tokenizer.id(of: "a"))
    #expect(try token(#"{"bos_token": null, "eos_token": "b"}"#) == tokenizer.id(of: "b"))
    #expect(try token(#"{"bos_token": "no such token"}"#) == 0)
    #expect(try token("not JSON") == 0)
    #expect(try token("{}", configuration: #""eos_token_id": 0, "bos_token_id": 999999"#) == 0)
    #expect(try token("{}", configuration: #""eos_token_id": 0, "bos_token_id": 7"#) == 7)
    // The tokenizer still knows which token ends a text.
    #expect(try token("{}", configuration: #""eos_token_id": 999999"#) == 0)
  }
}
