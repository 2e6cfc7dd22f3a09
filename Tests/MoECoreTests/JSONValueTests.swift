import Foundation
import MoECore
import Testing

@Suite("JSON values")
struct JSONValueTests {
  private func parsed(_ text: String) throws -> JSONValue {
    try JSONValue(parsing: Array(text.utf8))
  }

  @Test("keep whole numbers exactly below 2⁵³, and write them without a fraction")
  func numbers() throws {
    for number in [0, -1, 9_007_199_254_740_991, -9_007_199_254_740_991] {
      #expect(try parsed(" \(number) ") == .number(Double(number)))
      #expect(try JSONText.line(parsed("\(number)")) == "\(number)")
    }
    for text in ["9223372036854775808", "1.5", "1e2", "-0.5E-1"] {
      #expect(try parsed(text) == .number(#require(Double(text))))
    }
    #expect(try parsed("1.0") == parsed("1"))
    guard case .number(let zero) = try parsed("-0") else {
      Issue.record("-0 is not a number")
      return
    }
    #expect(zero.sign == .plus)
    #expect(try JSONText.line(parsed("[1.0, -0, 0.25]")) == "[1,0,0.25]")
  }

  @Test("are read and written by coders")
  func coding() throws {
    let text = #"{"a":[1,null,true,"x"],"b":{"c":0.5,"d":{}}}"#
    let value = try parsed(text)
    #expect(try JSONText.line(value) == text)
    #expect(try JSONDecoder().decode(JSONValue.self, from: Data(text.utf8)) == value)
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
    #expect(error == .malformed(offset: offset, expected: expected), "\(text)")
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
