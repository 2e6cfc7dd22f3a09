import MoECore
import MoETestSupport
import Testing

@Suite("Configuration objects")
struct ConfigurationObjectTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func object(_ text: String) throws -> ConfigurationObject {
    try ConfigurationObject(folder.write(Array(text.utf8), to: "config.json"))
  }

  private func message(_ text: String) -> String {
    let error = #expect(throws: ConfigurationError.self) { try object(text) }
    return "\(error, default: "")"
  }

  @Test("give values by key, and distinguish null from absent only where that matters")
  func values() throws {
    let json = try object(
      #"{"n": 3, "x": 0.5, "s": "a", "b": true, "l": [1, 2], "o": {"k": 1}, "z": null}"#)
    #expect(try json.int("n", in: 1...5) == 3 && json.number("x") == 0.5)
    #expect(try json.optionalString("s") == "a" && json.bool("b"))
    #expect(try json.ints("l", in: 1...2) == [1, 2])
    #expect(try json.optionalObject("o")?.int("k", in: 1...1) == 1)
    #expect(!json.has("z") && !json.has("y") && json.values.keys.contains("z"))
  }

  @Test("reject duplicate keys, naming the key and the objects around it")
  func duplicates() {
    for (text, key) in [
      (#"{"a": 1, "b": 2, "a": 1}"#, "a"), (#"{"model": {"k": 1, "k": 2}}"#, "model.k"),
      (#"{"layers": [{}, {"k": 1, "k": 2}]}"#, "layers[1].k"),
    ] {
      #expect(message(text).hasSuffix("the key '\(key)' is there twice; remove one of them"))
    }
  }

  @Test("say at which byte broken JSON breaks and what was expected")
  func broken() {
    #expect(message(#"{"a": 1 "b": 2}"#).hasSuffix("at byte 8: expected ',' or '}'"))
    #expect(message("").hasSuffix("at byte 0: expected a value"))
    #expect(message("[1]").hasSuffix("expected a JSON object, but it is a list"))
  }
}
