@testable import MoETokenizers
import MoECore
import Testing

@Suite("Split patterns")
struct SplitPatternTests {
  private static let runs = [
    #"\p{N}{1,3}"#, "[一-龥぀-ゟ゠-ヿ]+", "[\r\n]", #"\s?\p{L}+"#, #"\s?[!-/:-~\u3000-。]+"#,
    #" ?[^\s\p{L}\p{N}]+"#, #"\p{N}"#, #"[\-a-c\]]{1,2}"#, #"\s"#, "[é-]+",
  ]

  private static func pieces(_ pattern: SplitPattern, _ text: String) -> [String] {
    pieces(PatternScanner(pattern: pattern), text)
  }

  private static func pieces(_ scanner: PatternScanner, _ text: String) -> [String] {
    let bytes = Array(text.utf8)
    var result: [String] = []
    scanner.forEachPiece(bytes.span, in: 0..<bytes.count) { range, isMatch in
      if isMatch { result.append(String(decoding: bytes[range], as: UTF8.self)) }
    }
    return result
  }

  @Test(
    "split text as by hand",
    arguments: [
      (
        .gpt2, "it's  DON'T 12ab!?\n x ",
        ["it", "'s", " ", " DON", "'", "T", " 12", "ab", "!?", "\n", " x", " "]
      ),
      (.llama3, "it'S 12345 !\n\n  x", ["it", "'S", " ", "123", "45", " !\n\n", " ", " x"]),
      (.qwen2, " 123\t\r\n a", [" ", "1", "2", "3", "\t\r\n", " a"]),
      (.deepSeek, "(ab 12 c\u{301}", ["(ab", " ", " c\u{301}"]),
    ] as [(SplitPattern, String, [String])])
  func byHand(_ pattern: SplitPattern, _ text: String, _ expected: [String]) {
    #expect(Self.pieces(pattern, text) == expected)
  }

  /// The library's engine reads the same expressions, slowly.
  @Test(
    "match like the regular expressions that they are",
    arguments: SplitPattern.allCases.map(\.rawValue) + runs)
  func sameAsRegex(_ expression: String) throws {
    let scanner = try #require(PatternScanner(expression: expression))
    let regex = try Regex(expression).matchingSemantics(.unicodeScalar)
    var generator = SeededGenerator(seed: 13)
    let alphabet = Array(
      "abc'sStTrRevVlLdDmM 12  \n\r\t.,!-_]é漢か\u{301}\u{A0}\u{3000}½²€".unicodeScalars)
    for _ in 0..<1_500 {
      var text = String.UnicodeScalarView()
      for _ in 0..<Int.random(in: 0...12, using: &generator) {
        text.append(alphabet.randomElement(using: &generator) ?? " ")
      }
      let string = String(text)
      let expected = string.matches(of: regex).map { Array(string[$0.range].utf8) }
      #expect(
        Self.pieces(scanner, string).map { Array($0.utf8) } == expected,
        "\(string.debugDescription)")
    }
  }

  @Test("are total on bytes that are not text")
  func anyBytes() throws {
    var generator = SeededGenerator(seed: 17)
    for _ in 0..<2_000 {
      let bytes = (0..<Int.random(in: 0...20, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      for expression in SplitPattern.allCases.map(\.rawValue) + Self.runs + [#"\s+$"#] {
        var joined: [UInt8] = []
        let scanner = try #require(PatternScanner(expression: expression))
        scanner.forEachPiece(bytes.span, in: 0..<bytes.count) { range, _ in
          joined += bytes[range]
        }
        #expect(joined == bytes)
      }
    }
  }

  @Test(
    "that are not known are refused",
    arguments: [
      "a+", #"\w+"#, #"[\w]+"#, "[a-z&&b]", "[a[b]]", #"\P{L}+"#, #"\p{Lu}+"#, #"\p{L}*"#,
      #"\p{L}{2,3}"#, #"\p{L}{1,}"#, #"\p{L}+|\p{N}"#, #"\p{L}+$"#, "[z-a]", "[a", "[]a]", "[^]",
      #"\s?"#, "", #"[\u12]"#, #"[\s-a]"#, #"[\d]"#,
    ])
  func unknown(_ expression: String) {
    #expect(PatternScanner(expression: expression) == nil)
  }
}
