import MoECore
import MoETestSupport
import SystemPackage
import Testing

@Suite("JSON files of a known form")
struct JSONFileTests {
  private struct Record: Codable {
    struct Part: Codable { var size: Int }
    var name: String
    var parts: [Part]
  }

  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func message(_ text: String) throws -> String {
    let path = try folder.write(Array(text.utf8), to: "record.json")
    do {
      return "\(try MappedFile(path).json(Record.self, expected: "a record").name)"
    } catch {
      #expect(error is ConfigurationError)
      #expect("\(error)".hasPrefix("\(path): expected a record, but "))
      return "\(error)"
    }
  }

  @Test("are refused with file, place and what was expected")
  func places() throws {
    #expect(try message(#"{"name": "a", "parts": [{"size": 1}]}"#) == "a")
    #expect(try message("").contains("line 1, column 1, at byte 0: expected a value"))
    #expect(
      try message("{\"name\": \"ä\",\n \"parts\": [1 2]}").contains(
        "not valid JSON in line 2, column 14, at byte 28: expected ',' or ']'"))
    #expect(try message(#"{"name": "a"}"#).hasSuffix("'parts' is missing"))
    #expect(
      try message(#"{"name": "a", "parts": [{"size": 1}, {}]}"#).hasSuffix(
        "'parts[1].size' is missing"))
    #expect(
      try message(#"{"name": "a", "parts": [{"size": "1"}]}"#).hasSuffix(
        "'parts[0].size' has the wrong type"))
    #expect(try message(#"{"name": null, "parts": []}"#).hasSuffix("'name' is null"))
    #expect(try message("[]").hasSuffix("it has the wrong type"))
  }

  @Test("of one's own name the line that is broken")
  func lines() throws {
    let path = try folder.write(Array("{\n  \"a\": 1,\n  \"b\" 2\n}".utf8), to: "c.json")
    #expect {
      try ConfigurationObject(path)
    } throws: {
      "\($0)".contains(
        "\(path): expected a JSON object; the file is not valid JSON in line 3, column 7, at byte 18: expected ':'"
      )
    }
  }
}
