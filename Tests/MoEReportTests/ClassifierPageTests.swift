import MoECore
import MoEEvaluation
import MoEReport
import MoETestSupport
import MoETracing
import Testing

@Suite("The page of a model that predicts classes or scores")
struct ClassifierPageTests {
  private static let report = ClassifierReport(
    source: "<model> on a&b.csv", texts: 1_234, truncated: 5,
    values: [.init("accuracy", 0.875), .init("macro_f1", 0.86), .init("usage_0", 0.25)],
    entropy: 0.41, greatestEntropy: 0.693,
    experts: [
      .init(
        number: 0, kind: "ff", usage: 0.25, share: 0.31, accuracy: 0.9,
        certainty: [0, 0, 0, 0, 0, 8, 0, 0, 0, 300],
        examples: [.init(text: "a <b> text", actual: "World", predicted: "Sports", share: 0.99)]),
      .init(
        number: 1, kind: "gru", usage: 0.75, share: 0.69, accuracy: nil,
        certainty: [0, 0, 0, 0, 0, 26, 0, 0, 0, 900], examples: []),
    ],
    groups: [
      .init(name: "World", texts: 600, usage: [0.5, 0.5]),
      .init(name: "Sports", texts: 634, usage: [0.013, 0.987]),
    ], millisecondsPerText: 4.5)

  @Test("shows quality, use, routing per class, certainty and examples")
  func contents() {
    let reader = expectSound(ClassifierPage(Self.report).page.html)
    #expect(reader.texts["h1"] == ["Experts of <model> on a&b.csv"])
    #expect(reader.elements["svg"] == 3)
    let cells = Set(reader.cells)
    for cell in [
      "accuracy", "0 (ff)", "1 (gru)", "a <b> text", "634", "900",
      NumberText.pagePercent(0.987), NumberText.pagePercent(0.31), NumberText.pagePercent(0.99),
    ] { #expect(cells.contains(cell), "\(cell)") }
    #expect((reader.texts["dd"] ?? []).contains(NumberText.short(0.41)))
    // An expert without examples has no section of them.
    #expect((reader.texts["h2"] ?? []).filter { $0.hasPrefix("Most confident") }.count == 1)
  }

  @Test("is sound for a model of one expert and no texts")
  func empty() {
    var report = Self.report
    report.experts = [report.experts[1]]
    (report.groups, report.values, report.texts) = ([], [], 0)
    _ = expectSound(ClassifierPage(report).page.html)
  }
}
