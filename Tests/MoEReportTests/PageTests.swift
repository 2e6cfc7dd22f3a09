import Foundation
import MoEReport
import MoETestSupport
import SystemPackage
import Testing

#if canImport(FoundationXML)
import FoundationXML
#endif

/// What a page holds, read by a parser that forgives nothing.
final class PageReader: NSObject, XMLParserDelegate {
  private(set) var elements: [String: Int] = [:]
  private(set) var attributes: [(element: String, name: String, value: String)] = []
  private(set) var cells: [String] = []
  private(set) var texts: [String: [String]] = [:]
  private var open: [(name: String, text: String)] = []
  private(set) var problem: String?

  init(_ html: String) {
    super.init()
    let parser = XMLParser(data: Data(html.utf8))
    parser.delegate = self
    if !parser.parse() {
      problem =
        "line \(parser.lineNumber), column \(parser.columnNumber): \(parser.parserError.map(String.init(describing:)) ?? "")"
    }
  }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
    qualifiedName: String?, attributes values: [String: String]
  ) {
    elements[name, default: 0] += 1
    attributes += values.map { (name, $0.key, $0.value) }
    open.append((name, ""))
  }

  func parser(_ parser: XMLParser, foundCharacters text: String) {
    if !open.isEmpty { open[open.count - 1].text += text }
  }

  func parser(
    _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
  ) {
    let text = open.removeLast().text
    texts[name, default: []].append(text)
    if name == "td" || name == "th" { cells.append(text) }
  }
}

/// Laws of every page.
func expectSound(_ html: String, sourceLocation: SourceLocation = #_sourceLocation) -> PageReader {
  let reader = PageReader(html)
  #expect(reader.problem == nil, sourceLocation: sourceLocation)
  for name in ["script", "link", "iframe", "object", "embed", "base", "form"] {
    #expect(reader.elements[name] == nil, "\(name)", sourceLocation: sourceLocation)
  }
  for (element, name, value) in reader.attributes {
    #expect(
      !name.lowercased().hasPrefix("on"), "\(element) \(name)", sourceLocation: sourceLocation)
    if ["src", "href", "xlink:href", "srcset", "action", "poster"].contains(name) {
      #expect(
        value.hasPrefix("#") || value.hasPrefix("data:image/png;base64,"), "\(element) \(value)",
        sourceLocation: sourceLocation)
    }
    #expect(!value.contains("url("), "\(element) \(value)", sourceLocation: sourceLocation)
  }
  for style in reader.texts["style"] ?? [] {
    #expect(!style.contains("url(") && !style.contains("@import"), sourceLocation: sourceLocation)
  }
  // Each drawing is an image with a title, a description and its numbers.
  let drawings = reader.elements["svg"] ?? 0
  let roles = reader.attributes.count {
    $0.element == "svg" && $0.name == "role" && $0.value == "img"
  }
  #expect(roles == drawings, sourceLocation: sourceLocation)
  #expect((reader.elements["desc"] ?? 0) == drawings, sourceLocation: sourceLocation)
  #expect((reader.texts["desc"] ?? []).allSatisfy { !$0.isEmpty }, sourceLocation: sourceLocation)
  #expect((reader.elements["details"] ?? 0) == drawings, sourceLocation: sourceLocation)
  let ids = reader.attributes.filter { $0.name == "id" }.map(\.value)
  #expect(Set(ids).count == ids.count, sourceLocation: sourceLocation)
  let labels = reader.attributes.filter { $0.name == "aria-labelledby" }
    .flatMap { $0.value.split(separator: " ").map(String.init) }
  #expect(labels.allSatisfy(Set(ids).contains), sourceLocation: sourceLocation)
  return reader
}

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

  @Test("are well-formed and need nothing from elsewhere, whatever names they are given")
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
          ]), .init("second", [.figures(Self.figures("plain"))]), .init("third", []),
      ], footer: name)
    let reader = expectSound(page.html)
    #expect(reader.elements["svg"] == 14)
    // Spelt out, as it stands in a title, in cells and in descriptions.
    let spelt = "</title><script>alert('&\"')</script>\\u{7}\\u{202e}\u{FFFD}]]>"
    #expect(reader.texts["h1"] == [spelt] && reader.cells.contains(spelt))
  }

  @Test("are written whole")
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
