import MoECore
import Testing

@Suite("JSON objects")
struct JSONObjectTests {
  private func parsed(_ text: String) throws -> JSONObject {
    guard case .object(let object) = try JSONValue(parsing: Array(text.utf8)) else {
      Issue.record("\(text) is not an object")
      return [:]
    }
    return object
  }

  @Test("keep the order of the file, and are equal in any order")
  func order() throws {
    let object = try parsed(#"{"b": 1, "a": {"x": 2, "y": 3}}"#)
    let turned = try parsed(#"{"a": {"y": 3, "x": 2}, "b": 1}"#)
    #expect(object.keys == ["b", "a"] && turned.keys == ["a", "b"])
    #expect(object == turned && object.hashValue == turned.hashValue)
    #expect(try object != parsed(#"{"b": 1, "a": {"x": 2}}"#))
    #expect(try object != parsed(#"{"b": 1, "c": {"x": 2, "y": 3}}"#))
  }

  @Test("tell keys apart that differ only in how accents are encoded")
  func codePoints() throws {
    let object = try parsed(#"{"\u00e9": 1, "e\u0301": 2}"#)
    #expect(object["\u{e9}"] == .number(1) && object["e\u{301}"] == .number(2))
    #expect(throws: EncodingError.self) { try JSONText.line(object) }
  }

  @Test("change as dictionaries do")
  func changes() {
    var object: JSONObject = ["a": .number(1), "b": .null]
    object["c"] = .bool(true)
    object["a"] = .number(2)
    object["b"] = nil
    object["d"] = nil
    #expect(object == ["a": .number(2), "c": .bool(true)] && object.count == 2)
    let other: JSONObject = ["c": .string("x"), "e": .null]
    #expect(
      object.merging(other) { $1 } == ["a": .number(2), "c": .string("x"), "e": .null])
    #expect(object.merging(other) { old, _ in old }["c"] == .bool(true))
    #expect(object.filter { $0.key == "c" } == ["c": .bool(true)])
    #expect(JSONObject().isEmpty && !object.isEmpty)
  }

  @Test(
    "refuse a key that is there twice, and name it with what is around it",
    arguments: [
      (#"{"a": 1, "b": 2, "a": 1}"#, "a"), (#"{"o": {"k": null, "k": 2}}"#, "o.k"),
      (#"{"l": [{}, {"": 1, "": 2}]}"#, "l[1]."), (#"[{".k": 1, "\u002ek": 2}]"#, "[0]..k"),
      (#"{"v": {"[0]": {"k": 1, "k": 1}}}"#, "v.[0].k"),
    ])
  func duplicates(text: String, key: String) {
    #expect(throws: JSONError.duplicateKey(key)) { try parsed(text) }
  }

  @Test("of many keys are checked, too", arguments: [8, 9, 10, 1_000])
  func many(count: Int) throws {
    let members = (0..<count).map { "\"key number \($0)\": \($0)" }
    let object = try parsed("{\(members.joined(separator: ","))}")
    #expect(object.map { $0.value } == (0..<count).map { .number(Double($0)) })
    for place in [0, count / 2, count - 1] {
      let text = "{\((members + [members[place]]).joined(separator: ","))}"
      #expect(throws: JSONError.duplicateKey("key number \(place)")) { try parsed(text) }
    }
  }
}
