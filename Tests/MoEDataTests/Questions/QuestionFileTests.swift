import Foundation
import MoECore
@testable import MoEData
import MoETestSupport
import SystemPackage
import Testing

@Suite("Files with questions")
struct QuestionFileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func file(_ text: String, _ name: String = "questions.jsonl") throws -> FilePath {
    try folder.write(Array(text.utf8), to: name)
  }

  private func problem(_ body: () throws -> Void) -> String {
    do {
      try body()
      return "none"
    } catch { return "\(error)" }
  }

  // MARK: JSON lines

  @Test("of JSON lines give a row per line that is not blank, with its number")
  func jsonLines() throws {
    let path = try file("\u{FEFF}{\"a\": \"é\"}\r\n\n  \n{\"a\": \"b\", \"n\": 2}")
    let rows = try QuestionFile.jsonLines(path)
    #expect(rows.map(\.line) == [1, 4])
    #expect(try rows[0].text("a") == "é" && rows[1].choice("n", of: 3) == 2)
  }

  @Test(
    "of JSON lines that are wrong are refused with the line",
    arguments: [
      ("{\"a\": \"b\"}\n{\"a\": }", "line 2 is not valid JSON"),
      ("{\"a\": \"b\"}\n[1]", "line 2 is [1]; each line must be a JSON object"),
      ("{\"a\": 1, \"a\": 2}", "line 1 is not usable JSON: the key 'a' is there twice"),
      ("\n \n", "is empty"), ("", "is empty"),
    ])
  func wrongLines(text: String, expected: String) throws {
    let path = try file(text)
    let found = problem { _ = try QuestionFile.jsonLines(path) }
    #expect(found.contains(expected) && found.contains(path.string), "\(found)")
  }

  @Test(
    "refuse columns that do not fit, with the line",
    arguments: [
      ("{}", "needs a text 'q'; its keys are none"), ("{\"q\": 3}", "needs a text 'q'; it holds 3"),
      ("{\"q\": \"  \"}", "has an empty 'q'"),
      ("{\"q\": \"a\"}", "needs a list of texts 'c'; its keys are q"),
      ("{\"q\": \"a\", \"c\": []}", "has 0 texts in 'c'; a choice needs at least 2"),
      ("{\"q\": \"a\", \"c\": [\"x\"]}", "has 1 text in 'c'"),
      ("{\"q\": \"a\", \"c\": [\"x\", \"\"]}", "has an empty text in 'c', text 2 of 2"),
      ("{\"q\": \"a\", \"c\": [\"x\", 5]}", "has 5 in 'c'"),
      ("{\"q\": \"a\", \"c\": [\"x\", \"y\"]}", "needs a whole number 'g'"),
      (
        "{\"q\": \"a\", \"c\": [\"x\", \"y\"], \"g\": 1.5}",
        "needs a whole number 'g'; it holds 1.5"
      ),
      ("{\"q\": \"a\", \"c\": [\"x\", \"y\"], \"g\": 2}", "has the answer 2 in 'g', but 2 choices"),
      ("{\"q\": \"a\", \"c\": [\"x\", \"y\"], \"g\": -1}", "has the answer -1 in 'g'"),
      ("{\"q\": \"a\", \"c\": [\"x\", \"y\"], \"g\": 1e300}", "needs a whole number 'g'"),
    ])
  func wrongColumns(text: String, expected: String) throws {
    let path = try file("\n" + text)
    let row = try QuestionFile.jsonLines(path)[0]
    let found = problem {
      _ = try row.text("q")
      _ = try row.choice("g", of: row.texts("c").count)
    }
    #expect(found.contains(expected) && found.contains("line 2"), "\(found)")
  }

  @Test("take numbers that are written as text, and counts that begin at 1")
  func numbers() throws {
    let row = QuestionRow(
      path: "f", line: 1, fields: ["a": .string("2"), "b": .bool(true), "c": .string("x")])
    #expect(try row.choice("a", of: 2, from: 1) == 1)
    #expect(try row.choice("b", of: 2) == 1)
    #expect(throws: DataError.self) { try row.choice("c", of: 2) }
    #expect(throws: DataError.self) { try row.choice("a", of: 2) }
  }

  // MARK: Other forms

  @Test("of comma-separated values have as many columns as are named")
  func commas() throws {
    let path = try file("\"a, \"\"b\"\"\nc\",x,A\nd,,B\n", "q.csv")
    let rows = try QuestionFile.commaSeparated(path, columns: ["q", "c", "k"])
    #expect(rows.map(\.line) == [1, 3])
    #expect(try rows[0].text("q") == "a, \"b\"\nc" && rows[1].string("c").isEmpty)
    let found = problem { _ = try QuestionFile.commaSeparated(path, columns: ["q", "k"]) }
    #expect(found.contains("line 1 has 3 columns; expected are 2: q, k"), "\(found)")
  }

  private static let packed: [UInt8] = [
    66, 90, 104, 57, 49, 65, 89, 38, 83, 89, 177, 104, 143, 173, 0, 0,
    4, 193, 128, 0, 18, 2, 65, 148, 128, 32, 0, 49, 6, 76, 65, 3,
    77, 30, 165, 91, 122, 187, 4, 16, 252, 93, 201, 20, 225, 66, 66, 197,
    162, 62, 180,
  ]

  @Test("that bzip2 compressed are decompressed, also in several streams")
  func bzip2() throws {
    let one = try folder.write(Self.packed, to: "one.bz2")
    #expect(try QuestionFile.lines(one) == ["one", "two", "three"])
    let two = try folder.write(Self.packed + Self.packed, to: "two.bz2")
    #expect(try QuestionFile.lines(two) == ["one", "two", "threeone", "two", "three"])
    let trailed = try folder.write(Self.packed + Array("more".utf8), to: "trailed.bz2")
    #expect(try QuestionFile.lines(trailed) == ["one", "two", "three"])
    let plain = try file("one\ntwo\r\nthree\n", "plain.txt")
    #expect(try QuestionFile.lines(plain) == ["one", "two", "three"])
  }

  @Test("that bzip2 compressed and that are damaged are refused, whatever byte is wrong")
  func damagedBZip2() throws {
    let cut = try folder.write(Array(Self.packed.dropLast(9)), to: "cut.bz2")
    let found = problem { _ = try QuestionFile.lines(cut) }
    #expect(found.contains("ends before its bzip2 stream does"), "\(found)")
    let empty = try folder.write([], to: "empty.bz2")
    #expect(problem { _ = try QuestionFile.lines(empty) }.contains("is empty"))
    let text = try file("this is text", "text.bz2")
    #expect(problem { _ = try QuestionFile.lines(text) }.contains("is not a bzip2 file"))
    var generator = SeededGenerator(seed: 3)
    for round in 0..<300 {
      let bytes = mutated(Self.packed, with: [0, 0x31, 0x42, 0x5A, 0x68], using: &generator)
      let path = try folder.write(bytes, to: "\(round).bz2")
      // Its checksums find every change that matters.
      let lines = try? QuestionFile.lines(path)
      #expect(lines == nil || lines == ["one", "two", "three"] || bytes.count > Self.packed.count)
    }
  }

  // MARK: XML

  private static let items = """
    <?xml version="1.0"?>
    <!DOCTYPE list [<!ENTITY big "x"><!ENTITY file SYSTEM "file:///etc/hostname">]>
    <list>
      <item id="1" kind="a&amp;b">
        <p>One &lt; <b>two</b> &#233;</p>
      </item>

      <item id="2"><p/></item>
    </list>
    """

  @Test("in XML give a row per element, with its line")
  func xml() throws {
    let rows = try XMLItems.rows(named: "item", in: try file(Self.items, "items.xml"))
    #expect(rows.map(\.line) == [4, 8])
    #expect(try rows[0].text("kind") == "a&b" && rows[0].text("id") == "1")
    let text = try rows[0].text("p")
    #expect(text == "One < two é")
    #expect(try rows[1].string("p").isEmpty)
  }

  @Test("in XML that is broken, or that names other files, are refused or not followed")
  func brokenXML() throws {
    let broken = try file("<list>\n<item>\n</list>", "broken.xml")
    let found = problem { _ = try XMLItems.rows(named: "item", in: broken) }
    #expect(found.contains("is not well-formed XML") && found.contains("line 3"), "\(found)")
    let none = try file("<list/>", "none.xml")
    #expect(problem { _ = try XMLItems.rows(named: "item", in: none) }.contains("without <item>"))
    let outside = try file(
      Self.items.replacingOccurrences(of: "One", with: "&file;"), "outside.xml")
    let rows = try? XMLItems.rows(named: "item", in: outside)
    let name = try String(contentsOfFile: "/etc/hostname", encoding: .utf8)
    let text = try rows?[0].string("p") ?? ""
    #expect(!text.contains(name.trimmingCharacters(in: .whitespacesAndNewlines)))
    var generator = SeededGenerator(seed: 4)
    for round in 0..<200 {
      let bytes = mutated(Array(Self.items.utf8), with: Array("<>&;/\"!".utf8), using: &generator)
      let path = try folder.write(bytes, to: "\(round).xml")
      _ = try? XMLItems.rows(named: "item", in: path)
    }
  }
}
