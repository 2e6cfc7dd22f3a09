import MoECore
@testable import MoEEvaluation
import MoEData
import SystemPackage
import Testing

@Suite("The harness's rules for text and numbers")
struct HarnessRulesTests {
  @Test("draw as Python does")
  func random() {
    func drawn(_ seed: UInt64, _ k: Int, _ count: Int) -> [Int] {
      var random = PythonRandom(seed: seed)
      return random.sample(k, of: count)
    }
    // random.Random(seed).sample(range(count), k), CPython 3.11.
    #expect(drawn(1_234, 3, 10) == [7, 1, 0])
    #expect(drawn(1_234, 5, 1_000) == [989, 796, 451, 119, 7])
    #expect(drawn(1_234, 8, 50) == [49, 28, 7, 0, 5, 37, 2, 42])
    #expect(drawn(1 << 40 + 7, 6, 40_398) == [40_219, 37_381, 31_190, 16_439, 40_343, 8_306])
    #expect(
      drawn(0, 21, 21) == [
        12, 13, 1, 8, 16, 15, 6, 20, 4, 7, 5, 9, 3, 2, 11, 18, 0, 14, 17, 19, 10,
      ])
    #expect(drawn(0, 0, 5).isEmpty)
  }

  @Test("draw again and again as Python does, past the first 624 numbers")
  func randomContinues() {
    var random = PythonRandom(seed: 1_234)
    let four = (0..<4).map { _ in random.sample(4, of: 30) }
    #expect(four == [[24, 14, 3, 0], [2, 29, 25, 18], [1, 21, 22, 2], [3, 24, 11, 7]])
    random = PythonRandom(seed: 5)
    let last = (0..<120).map { _ in random.sample(6, of: 1_000) }.last
    #expect(last == [899, 638, 137, 10, 442, 93])
  }

  @Test("see white space and letters as Python does")
  func text() {
    #expect(HarnessText.stripped(" \u{1F}\u{A0}a b\u{2028}\n") == "a b")
    #expect(HarnessText.stripped(" \n").isEmpty)
    #expect(HarnessText.partingTrailingSpace("a \t\u{3000}") == ("a", " \t\u{3000}"))
    #expect(HarnessText.partingTrailingSpace(" ") == ("", " "))
    #expect(HarnessText.partingTrailingSpace("a") == ("a", ""))
    // A combining mark joins the space before it to one character, but not to one scalar.
    #expect(HarnessText.partingTrailingSpace("a \u{301}") == ("a \u{301}", ""))
    #expect(HarnessText.words("") == 1 && HarnessText.words(" a\n\nb ") == 4)
    #expect(HarnessText.capitalized("éCOLE Ab") == "École ab")
    #expect(HarnessText.capitalizingFirst("éCOLE Ab") == "ÉCOLE Ab")
    #expect(HarnessText.loweringFirst("ÉCOLE") == "éCOLE" && HarnessText.loweringFirst("").isEmpty)
    #expect(HarnessText.capitalized("").isEmpty && HarnessText.capitalizingFirst("").isEmpty)
  }

  @Test("part texts by bytes")
  func parting() {
    func parts(_ text: String, _ at: String, last: Bool = false) -> [String]? {
      HarnessText.parted(text, at: at, last: last).map { [$0.before, $0.after] }
    }
    #expect(
      parts("a_b_c", "_") == ["a", "b_c"] && parts("a_b_c", "_", last: true) == ["a_b", "c"])
    // The mark belongs to no place between characters of Swift.
    #expect(parts("a_\u{301}b", "_") == ["a", "\u{301}b"])
    #expect(parts("abc", "_") == nil && parts("", "_") == nil && parts("_", "_") == ["", ""])
    #expect(HarnessText.after(prefix: "ab", in: "abc") == "c")
    #expect(HarnessText.after(prefix: "b", in: "abc") == nil)
  }

  @Test("write JSON as Python does where hashes are taken")
  func json() {
    let value: JSONValue = .object([
      "b": .string("é\"\\\n\u{1}/"), "a": .array([.number(1), .number(0.5), .null, .bool(true)]),
      "c": .object([:]), "d": .array([]),
    ])
    #expect(
      PythonJSON.indented(value) == """
        {
          "b": "é\\"\\\\\\n\\u0001/",
          "a": [
            1,
            0.5,
            null,
            true
          ],
          "c": {},
          "d": []
        }
        """)
  }

  @Test("give means their standard errors, and weigh parts by their questions")
  func scores() {
    let score = TaskScore(.accuracy, [1, 0, 0, 1, 1])
    #expect(score.value == 0.6)
    // statistics.stdev([1, 0, 0, 1, 1]) / sqrt(5)
    #expect(abs((score.standardError ?? 0) - 0.244_948_974_278_317_8) < 1e-15)
    #expect(TaskScore(.accuracy, [1]).standardError == nil)
    let perplexity = TaskScore(.perplexity, [-1, -2, -3])
    #expect(abs(perplexity.value - 7.389_056_098_930_65) < 1e-12)
    let other = TaskScore(.accuracy, [0, 1])
    let joined = TaskScore(.accuracy, joining: [(score, 5), (other, 2)])
    #expect(abs(joined.value - 4.0 / 7) < 1e-15)
    // pooled_sample_stderr of the harness: sqrt((4·se₁²·5 + 1·se₂²·2) / 5 / 7)
    #expect(abs((joined.standardError ?? 0) - (1.7 / 35).squareRoot()) < 1e-15)
  }

  @Test("take the first of equal log-likelihoods, and divide by Unicode scalars")
  func answers() {
    let question = TaskQuestion(
      QuestionRow(path: "f", line: 1, fields: [:]),
      // One character of Swift, but two scalars, beside one.
      .choices(context: "c", choices: ["e\u{301}", "x"]), answer: 0)
    func judged(_ values: [Double]) -> [Double] {
      TaskAnswer(
        question, place: 0, logLikelihoods: values, areGreedy: [false, true],
        metrics: [.accuracy, .normalizedAccuracy]
      ).values
    }
    #expect(judged([-1, -1]) == [1, 1])
    #expect(judged([-1.5, -1]) == [0, 1])
    #expect(judged([-2, -1]) == [0, 1])
    #expect(judged([-2.1, -1]) == [0, 0])
  }
}
