import MoECore
import Testing

@Suite("JSON values")
struct JSONValueTests {
  private func parsed(_ text: String) throws -> JSONValue {
    try JSONValue(parsing: Array(text.utf8))
  }

  @Test("keep whole numbers of 64 bits exactly")
  func integers() throws {
    for number in [0, -1, 9_007_199_254_740_993, Int.max, Int.min] {
      guard case .integer(number) = try parsed(" \(number) ") else {
        Issue.record("\(number) became another number")
        continue
      }
    }
    for text in ["9223372036854775808", "1.0", "1e2", "-0.5E-1"] {
      guard case .number(let number) = try parsed(text) else {
        Issue.record("\(text) is not a number")
        continue
      }
      #expect(number == Double(text))
    }
  }

  @Test("keep order, duplicate keys and the code points of strings")
  func members() throws {
    guard case .object(let members) = try parsed(#"{"b": 1, "a": "\u00e9", "b": "e\u0301"}"#),
      case .string(let composed) = members[1].value, case .string(let parts) = members[2].value
    else {
      Issue.record("it is not an object with two texts")
      return
    }
    #expect(members.map(\.key) == ["b", "a", "b"])
    #expect(composed == parts && !JSONValue.same(composed, parts))
  }

  @Test("escapes are what RFC 8259 says, and a byte order mark is skipped")
  func escapes() throws {
    guard
      case .string(let text) = try parsed("\u{FEFF}\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\ud83d\\ude00ü\"")
    else {
      Issue.record("it is not a string")
      return
    }
    #expect(text == "\"\\/\u{8}\u{C}\n\r\t😀ü")
  }

  @Test(
    "broken text is refused at its byte",
    arguments: [
      ("", 0, "a value"), ("{\"a\" 1}", 5, "':'"), ("[1, 2", 5, "',' or ']'"),
      ("[1] 2", 4, "nothing after the value"), ("{a: 1}", 1, "a quoted key"),
      ("01", 2, "no leading zero"), ("1.", 2, "a digit"), ("tru", 0, "'true'"),
      ("\"a\nb\"", 2, "an escape instead of a control character"),
      ("\"\\ud800\"", 7, "a pair of surrogates"), ("\"a", 2, "a closing quote"),
      ("[1e999]", 1, "a number of at most 1.8e308"), ("[1,]", 3, "a value"),
    ])
  func broken(text: String, offset: Int, expected: String) {
    let error = #expect(throws: JSONError.self) { try parsed(text) }
    #expect(error == JSONError(offset: offset, expected: expected), "\(text)")
  }

  @Test("bytes that are not UTF-8, and nesting without end, are refused")
  func hostile() {
    #expect(throws: JSONError.self) { try JSONValue(parsing: [0x22, 0xFF, 0x22]) }
    let depth = JSONValue.maximumDepth
    for count in [depth, depth + 1, 1 << 20] {
      let text = String(repeating: "[", count: count) + String(repeating: "]", count: count)
      #expect(((try? parsed(text)) != nil) == (count <= depth))
    }
  }
}
