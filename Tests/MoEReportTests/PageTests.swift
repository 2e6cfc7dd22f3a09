import Foundation
import MoEReport
import MoETestSupport
import SystemPackage
import Testing

@Suite("Pages")
struct PageTests {
  private static let hostile = "</title><script>alert('&\"')</script>\u{7}\u{202E}\u{FFFF}]]>"

  private static func figures(_ name: String) -> [Figure] {
    [
      HeatMap(
        rows: [name, "b"], columns: ["c", name], values: [0, 1, .nan, -2], rowTitle: name,
        columnTitle: name, valueTitle: name
      ).figure(name, note: name),
      HeatMap(
        rows: (0..<60).map { "\(name)\($0)" }, columns: (0..<80).map(String.init),
        values: (0..<4800).map { Double($0 % 61) }, rowTitle: name, columnTitle: "c",
        valueTitle: name, scale: .diverging
      ).figure(name),
      LineChart(
        [
          .init(name, [(1, 2), (2, .nan), (3, 1)]), .init("b", [(1, 0), (2, 5), (3, .infinity)]),
          .init("dots", [(2, 2)], isDotted: true),
        ], xTitle: name, yTitle: name, reference: (2, name)
      ).figure(name),
      LineChart(
        [.init("one", [(10, 1), (1000, 1)])], xTitle: "x", yTitle: "y", isLogarithmic: true
      )
      .figure(name),
      BarChart(
        [name, "b"], [(name, [1, -2]), ("second", [0, .nan])], nameTitle: name, valueTitle: name
      ).figure(name),
      BarChart(
        [name, "b"], [("", [1, 0])], nameTitle: name, valueTitle: name, reference: (1, name)
      )
      .rowFigure(name),
      FlowDiagram(
        columns: [name, "b"], names: [[name, "1"], ["0"]], sizes: [[0.5, 0.5], [1]],
        links: [
          [.init(from: 0, to: 0, amount: 0.5, isStrong: true), .init(from: 1, to: 0, amount: 0.5)]
        ]
      ).figure(name),
    ]
  }

  @Test("are well-formed and self-contained, whatever names they are given")
  func hostileNames() {
    let name = Self.hostile
    let page = Page(
      name, summary: name,
      sections: [
        .init(
          name,
          [
            .paragraph(name), .findings([name]), .numbers([(value: name, label: name)]),
            .table(Table([name, name], [[name, name]])), .figures(Self.figures(name)),
            .images(ImageGrid([.init(png: [1, 2, 3], label: name)])),
            .measurements([.init(name, name, command: name)]), .commands([name]),
            .passage(title: name, text: name),
          ]), .init("second", [.figures(Self.figures("plain"))]), .init("third", []),
      ], footer: name)
    let reader = expectSound(page.html)
    #expect(reader.elements["svg"] == 14)
    // Escaped, as in a title, in cells and in descriptions.
    let spelt = "</title><script>alert('&\"')</script>\\u{7}\\u{202e}\u{FFFD}]]>"
    #expect(reader.texts["h1"] == [spelt] && reader.cells.contains(spelt))
  }

  @Test("keep the lines of commands and passages, and show for each number how to get it")
  func preformatted() {
    let blocks: [Page.Block] = [
      .commands(["one", "two <three>"]), .passage(title: "Said", text: "first\n\nthird"),
      .measurements([.init("1.5", "times", command: "switchyard info 'a b'")]),
    ]
    let page = Page("A", summary: "", sections: [.init("B", blocks)])
    let reader = expectSound(page.html)
    #expect(reader.texts["pre"] == ["$ one\n$ two <three>", "first\n\nthird"])
    #expect(reader.texts["code"] == ["switchyard info 'a b'"] && reader.texts["dd"] == ["1.5"])
  }

  @Test("are written completely")
  func write() throws {
    let folder = try TemporaryFolder()
    let page = Page("A page", summary: "Short.", sections: [])
    try page.write(to: folder.file("page.html"))
    #expect(try readBytes(folder.file("page.html")) == Array(page.html.utf8))
    #expect(page.html.hasPrefix("<!DOCTYPE html>\n<html lang=\"en\">"))
    #expect(throws: (any Error).self) {
      try page.write(to: folder.file("missing").appending("page.html"))
    }
  }

  @Test("follow the reader's choice of light and dark, and print")
  func style() {
    let reader = expectSound(Page("A", summary: "", sections: []).html)
    let style = reader.texts["style"]?.first ?? ""
    #expect(style.contains("prefers-color-scheme: dark") && style.contains("@media print"))
    let contents = reader.attributes.filter { $0.name == "content" }.map(\.value)
    #expect(contents.contains { $0.hasPrefix("default-src 'none'") })
    #expect(contents.contains { $0.hasPrefix("width=device-width") })
  }
}
