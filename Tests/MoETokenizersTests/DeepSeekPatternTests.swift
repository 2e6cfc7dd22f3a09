@testable import MoETokenizers
import MoECore
import Testing

/// The three generations of DeepSeek's pre-tokenizers, each a sequence of patterns.
enum DeepSeekPatterns {
  case languageModel, coder, v3

  private var expressions: [String] {
    switch self {
    case .languageModel:
      [
        "[\r\n]", #"\s?[A-Za-z\u00b5À-ÖØ-öø-ƺƼ-ƿΑ-ΡΣ-ϵа-яА-Я"# + "\u{10400}-\u{1044F}]+",
        #"\s?[!-/:-~！-／：-～‘-‟\u3000-。]+"#, #"\s+$"#, "[一-龥ࠀ-一가-\u{D7FF}]+",
      ]
    case .coder: ["[\r\n]", #"\s?\p{L}+"#, #"\s?\p{P}+"#, "[一-龥ࠀ-一가-\u{D7FF}]+"]
    case .v3:
      [
        #"\p{N}{1,3}"#, "[一-龥぀-ゟ゠-ヿ]+",
        SplitPattern.deepSeek.rawValue.replacing(#"\r\n"#, with: "\r\n"),
      ]
    }
  }

  /// The steps, as in `tokenizer.json`.
  var preTokenizer: PreTokenizer {
    get throws {
      let steps = expressions.map { expression in
        #"{"type": "Split", "pattern": {"Regex": \#(expression.jsonQuoted)}, "#
          + #""behavior": "Isolated", "invert": false}"#
      }
      let digits =
        if case .v3 = self { [String]() } else {
          [#"{"type": "Digits", "individual_digits": true}"#]
        }
      let json =
        #"{"type": "Sequence", "pretokenizers": [\#((steps + digits).joined(separator: ", "))]}"#
      return try PreTokenizer(JSONFields(.parsed(Array(json.utf8)), at: "pre_tokenizer"))
    }
  }
}

@Suite("Patterns of DeepSeek's tokenizers")
struct DeepSeekPatternTests {
  /// The expected pieces are those of the tokenizers library 0.23.
  @Test(
    "split as the reference library does, whether line breaks are escaped or not",
    arguments: [
      (
        .languageModel, "a\r\n\r\nb 12345 中文!x",
        ["a", "\r", "\n", "\r", "\n", "b", " ", "1", "2", "3", "4", "5", " ", "中文", "!", "x"]
      ),
      (
        .languageModel, "  let x = 10;  \n\tif (a&&b) ",
        [
          " ", " let", " x", " =", " ", "1", "0", ";", "  ", "\n", "\tif", " (", "a", "&&", "b",
          ")", " ",
        ]
      ),
      (
        .languageModel, "\u{FF0C}全角\u{3002} \u{2018}引用\u{2019}\u{3000}空",
        ["\u{FF0C}", "全角", "\u{3002}", " ", "\u{2018}", "引用", "\u{2019}", "\u{3000}", "空"]
      ),
      (
        .languageModel, "\u{DC}n\u{EF}code Привет  ",
        ["\u{DC}", "n", "\u{EF}", "code", " Привет", "  "]
      ),
      (
        .languageModel, "한국어 1,234.5 \n \n end",
        ["한국어", " ", "1", ",", "2", "3", "4", ".", "5", " ", "\n", " ", "\n", " end"]
      ),
      (
        .languageModel, "'' \"q\" x\u{3000}y \u{3000}",
        ["''", " \"", "q", "\"", " x", "\u{3000}", "y", " ", "\u{3000}"]
      ),
      (.languageModel, "+=1$ ^a` ~b ", ["+=", "1", "$", " ^", "a", "`", " ~", "b", " "]),
      (
        .languageModel, "a  b   \t c \u{10400}\u{10428}",
        ["a", " ", " b", "   \t", " c", " \u{10400}\u{10428}"]
      ),
      (.languageModel, "e\u{301} x\u{A0}y ", ["e", "\u{301}", " x", "\u{A0}y", " "]),
      (
        .coder, "a\r\n\r\nb 12345 中文!x",
        ["a", "\r", "\n", "\r", "\n", "b", " ", "1", "2", "3", "4", "5", " ", "中文", "!", "x"]
      ),
      (
        .coder, "  let x = 10;  \n\tif (a&&b) ",
        [
          " ", " let", " x", " = ", "1", "0", ";", "  ", "\n", "\tif", " (", "a", "&&", "b", ")",
          " ",
        ]
      ),
      (
        .coder, "\u{FF0C}全角\u{3002} \u{2018}引用\u{2019}\u{3000}空",
        ["\u{FF0C}", "全角", "\u{3002}", " ", "\u{2018}", "引用", "\u{2019}", "\u{3000}空"]
      ),
      (.coder, "\u{DC}n\u{EF}code Привет  ", ["\u{DC}n\u{EF}code", " Привет", "  "]),
      (
        .coder, "한국어 1,234.5 \n \n end",
        ["한국어", " ", "1", ",", "2", "3", "4", ".", "5", " ", "\n", " ", "\n", " end"]
      ),
      (
        .coder, "'' \"q\" x\u{3000}y \u{3000}",
        ["''", " \"", "q", "\"", " x", "\u{3000}", "y", " ", "\u{3000}"]
      ),
      (.coder, "+=1$ ^a` ~b ", ["+=", "1", "$ ^", "a", "` ~", "b", " "]),
      (
        .coder, "a  b   \t c \u{10400}\u{10428}",
        ["a", " ", " b", "   \t", " c", " \u{10400}\u{10428}"]
      ),
      (.coder, "e\u{301} x\u{A0}y ", ["e", "\u{301}", " x", "\u{A0}y", " "]),
      (.v3, "a\r\n\r\nb 12345 中文!x", ["a", "\r\n\r\n", "b", " ", "123", "45", " ", "中文", "!x"]),
      (
        .v3, "  let x = 10;  \n\tif (a&&b) ",
        [" ", " let", " x", " =", " ", "10", ";", "  \n", "\tif", " (", "a", "&&", "b", ")", " "]
      ),
      (
        .v3, "\u{FF0C}全角\u{3002} \u{2018}引用\u{2019}\u{3000}空",
        ["\u{FF0C}", "全角", "\u{3002}", " \u{2018}", "引用", "\u{2019}", "\u{3000}", "空"]
      ),
      (.v3, "\u{DC}n\u{EF}code Привет  ", ["\u{DC}n\u{EF}code", " Привет", "  "]),
      (.v3, "한국어 1,234.5 \n \n end", ["한국어", " ", "1", ",", "234", ".", "5", " \n \n", " end"]),
      (
        .v3, "'' \"q\" x\u{3000}y \u{3000}",
        ["''", " \"", "q", "\"", " x", "\u{3000}y", " \u{3000}"]
      ),
      (.v3, "+=1$ ^a` ~b ", ["+=", "1", "$", " ^", "a", "`", " ~", "b", " "]),
      (
        .v3, "a  b   \t c \u{10400}\u{10428}",
        ["a", " ", " b", "   \t", " c", " \u{10400}\u{10428}"]
      ),
      (.v3, "e\u{301} x\u{A0}y ", ["e\u{301}", " x", "\u{A0}y", " "]),
    ] as [(DeepSeekPatterns, String, [String])])
  func pieces(_ patterns: DeepSeekPatterns, _ text: String, _ expected: [String]) throws {
    var pieces = Pieces(Array(text.utf8), startsText: true)
    try patterns.preTokenizer.apply(to: &pieces)
    #expect(
      pieces.ranges.map { Array(pieces.bytes[$0]) } == expected.map { Array($0.utf8) })
  }

  @Test("are linear in the length of white space that no line ends")
  func longSpace() throws {
    let text = Array((String(repeating: " ", count: 200_000) + "x").utf8)
    let scanner = try #require(PatternScanner(expression: #"\s+$"#))
    var matches = 0
    scanner.forEachPiece(text.span, in: 0..<text.count) { _, isMatch in matches += isMatch ? 1 : 0 }
    #expect(matches == 0)
  }
}
