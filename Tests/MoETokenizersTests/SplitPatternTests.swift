@testable import MoETokenizers
import MoECore
import Testing

@Suite("Split patterns")
struct SplitPatternTests {
  private static func pieces(_ pattern: SplitPattern, _ text: String) -> [String] {
    let bytes = Array(text.utf8)
    var result: [String] = []
    PatternScanner(pattern: pattern).forEachPiece(bytes.span, in: 0..<bytes.count) {
      range, isMatch in
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
      (.threeDigits, "a1234b", ["123", "4"]),
      (.chineseAndKana, "a漢字かなb", ["漢字かな"]),
    ] as [(SplitPattern, String, [String])])
  func byHand(_ pattern: SplitPattern, _ text: String, _ expected: [String]) {
    #expect(Self.pieces(pattern, text) == expected)
  }

  /// The library's engine reads the same expressions, slowly.
  @Test("match like the regular expressions that they are", arguments: SplitPattern.allCases)
  func sameAsRegex(_ pattern: SplitPattern) throws {
    let regex = try Regex(pattern.rawValue).matchingSemantics(.unicodeScalar)
    var generator = SeededGenerator(seed: 13)
    let alphabet = Array(
      "ab'sStTrRevVlLdDmM 12  \n\r\t.,!-_é漢か\u{301}\u{A0}\u{3000}½²€".unicodeScalars)
    for _ in 0..<1_500 {
      var text = String.UnicodeScalarView()
      for _ in 0..<Int.random(in: 0...12, using: &generator) {
        text.append(alphabet.randomElement(using: &generator) ?? " ")
      }
      let string = String(text)
      let expected = string.matches(of: regex).map { Array(string[$0.range].utf8) }
      #expect(
        Self.pieces(pattern, string).map { Array($0.utf8) } == expected,
        "\(string.debugDescription)")
    }
  }

  @Test("are total on bytes that are not text")
  func anyBytes() {
    var generator = SeededGenerator(seed: 17)
    for _ in 0..<2_000 {
      let bytes = (0..<Int.random(in: 0...20, using: &generator)).map { _ in
        UInt8.random(in: 0...255, using: &generator)
      }
      for pattern in SplitPattern.allCases {
        var joined: [UInt8] = []
        PatternScanner(pattern: pattern).forEachPiece(bytes.span, in: 0..<bytes.count) { range, _ in
          joined += bytes[range]
        }
        #expect(joined == bytes)
      }
    }
  }
}
