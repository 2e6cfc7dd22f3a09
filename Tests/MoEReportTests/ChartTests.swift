import MoECore
import Foundation
import MoEReport
import MoETestSupport
import Testing

@Suite("Charts")
struct ChartTests {
  /// Relative luminance of a colour, as WCAG 2 defines it.
  private func luminance(_ color: String) -> Double {
    let value = Int(color.dropFirst(), radix: 16) ?? 0
    func linear(_ byte: Int) -> Double {
      let part = Double(byte) / 255
      return part <= 0.040_45 ? part / 12.92 : pow((part + 0.055) / 1.055, 2.4)
    }
    return 0.2126 * linear(value >> 16) + 0.7152 * linear(value >> 8 & 255)
      + 0.0722 * linear(value & 255)
  }

  @Test("colours grow lighter with the value, so they are distinguishable without colour vision")
  func sequential() {
    let lights = (0...63).map { luminance(ColorScale.sequential.color(at: Double($0) / 63)) }
    #expect(zip(lights, lights.dropFirst()).allSatisfy { $0 < $1 })
    #expect((lights[63] + 0.05) / (lights[0] + 0.05) > 8)
    let scale = ColorScale.sequential
    #expect(scale.color(at: -1) == scale.color(at: 0) && scale.color(at: 2) == scale.color(at: 1))
    #expect(scale.color(at: .nan) == scale.color(at: 0))
  }

  @Test("less and more differ equally from zero")
  func diverging() {
    let scale = ColorScale.diverging
    let (low, middle, high) = (
      luminance(scale.color(at: 0)), luminance(scale.color(at: 0.5)), luminance(scale.color(at: 1))
    )
    #expect(middle > 0.8 && abs(low - high) < 0.05 && low < 0.2)
  }

  @Test("numbers are spelt the same everywhere")
  func numbers() {
    let short: [(Double, String)] = [
      (0, "0"), (1, "1"), (1.234, "1.23"), (12.34, "12.3"), (0.1234, "0.123"), (0.00123, "0.0012"),
      (123.4, "123"), (12345.6, "12,346"), (-0.5, "-0.500"), (1.5e-7, "1.50e-07"),
      (2e12, "2.00e+12"),
      (.nan, "–"),
    ]
    for (value, text) in short { #expect(NumberText.short(value) == text) }
    #expect(NumberText.pagePercent(0.1234) == "12.3\u{A0}%" && NumberText.pagePercent(.nan) == "–")
    #expect(NumberText.count(1_234_567) == "1,234,567" && NumberText.count(-12) == "-12")
    #expect(NumberText.count(100) == "100" && NumberText.count(1000) == "1,000")
  }

  @Test("the cells of a map show every number, one by one or in runs")
  func heatMap() {
    let small = HeatMap(
      rows: ["a", "b"], columns: ["c", "d"], values: [0, 1, 2, 3], rowTitle: "row",
      columnTitle: "column", valueTitle: "value"
    ).figure("Map")
    let reader = expectSound(Page("", summary: "", sections: [.init("", [.figures([small])])]).html)
    #expect((reader.texts["title"] ?? []).contains("row b, column c: 2"))
    #expect(reader.cells == ["row \\ column", "c", "d", "a", "0", "1", "b", "2", "3"])
    // 70 × 70 equal cells are one run for each row.
    let large = HeatMap(
      rows: (0..<70).map(String.init), columns: (0..<70).map(String.init),
      values: [Double](repeating: 1, count: 4900), rowTitle: "r", columnTitle: "c",
      valueTitle: "v", range: 0...1
    ).figure("Large")
    #expect(large.drawing.source.components(separatedBy: "h70v1h-70z").count == 71)
    #expect(large.table.rows.count == 70 && large.table.header.count == 2)
  }

  @Test("the table under a chart holds its numbers")
  func tables() {
    let lines = LineChart(
      [.init("a", [(1, 0.5), (2, 0.25)]), .init("b", [(1, 1), (2, 2)])], xTitle: "x", yTitle: "y"
    ).figure("Lines")
    #expect(lines.table.header == ["x", "a", "b"])
    #expect(lines.table.rows == [["1", "0.500", "1"], ["2", "0.250", "2"]])
    let clouds = LineChart(
      [.init("a", [(1, 1)]), .init("b", [(3, 2)])], xTitle: "x", yTitle: "y"
    ).figure("Clouds")
    #expect(clouds.table.rows == [["a", "1", "1"], ["b", "3", "2"]])
    let bars = BarChart(["p", "q"], [("n", [1, 3])], nameTitle: "name", valueTitle: "value")
    #expect(bars.figure("Bars").table.rows == [["p", "1"], ["q", "3"]])
    #expect(bars.rowFigure("Rows").description.contains("largest for q, 3"))
  }

  @Test("bars are as long as their numbers")
  func bars() {
    let drawing = BarChart(["p", "q"], [("n", [1, 4])], nameTitle: "", valueTitle: "")
      .rowFigure("").drawing.source
    let widths = drawing.components(separatedBy: "width=\"").dropFirst()
      .compactMap { Double($0.prefix { $0 != "\"" }) }
    #expect(widths.count == 2 && abs(widths[1] / widths[0] - 4) < 0.01)
  }

  @Test("ribbons leave and arrive within their places")
  func flow() {
    let figure = FlowDiagram(
      columns: ["0", "1"], names: [["a", "b"], ["c", "d"]], sizes: [[0.75, 0.25], [0.5, 0.5]],
      links: [
        [
          .init(from: 0, to: 0, amount: 0.5), .init(from: 0, to: 1, amount: 0.25),
          .init(from: 1, to: 1, amount: 0.25, isStrong: true),
        ]
      ]
    ).figure("Flow")
    #expect(figure.drawing.source.components(separatedBy: "class=\"link\"").count == 3)
    #expect(figure.drawing.source.components(separatedBy: "class=\"strong\"").count == 2)
    #expect(figure.table.rows.first == ["0, a", "1, c", "50.0\u{A0}%"])
  }
}
