import Foundation
package import Testing

#if canImport(FoundationXML)
import FoundationXML
#endif

/// The contents of a page, read by a strict parser.
package struct PageReader {
  /// Counts of elements by name.
  package private(set) var elements: [String: Int] = [:]
  /// All attributes, in order.
  package private(set) var attributes: [(element: String, name: String, value: String)] = []
  /// Texts of all table cells.
  package private(set) var cells: [String] = []
  /// Texts directly inside of elements, by name.
  package private(set) var texts: [String: [String]] = [:]
  /// Why the page is not well-formed, if it is not.
  package private(set) var problem: String?

  /// Reads a page.
  package init(_ html: String) {
    let parser = XMLParser(data: Data(html.utf8))
    let collector = Collector()
    parser.delegate = collector
    // The parser's answer is true for some of its errors.
    if !parser.parse() || collector.hasFailed {
      problem =
        "line \(parser.lineNumber), column \(parser.columnNumber): \(parser.parserError.map(String.init(describing:)) ?? "")"
    }
    (elements, attributes) = (collector.elements, collector.attributes)
    (cells, texts) = (collector.cells, collector.texts)
  }
}

/// Collects what the parser finds.
private final class Collector: NSObject, XMLParserDelegate {
  var hasFailed = false
  var elements: [String: Int] = [:]
  var attributes: [(element: String, name: String, value: String)] = []
  var cells: [String] = []
  var texts: [String: [String]] = [:]
  private var open: [String] = []

  func parser(_ parser: XMLParser, parseErrorOccurred error: any Error) { hasFailed = true }

  func parser(
    _ parser: XMLParser, didStartElement name: String, namespaceURI: String?,
    qualifiedName: String?, attributes values: [String: String]
  ) {
    elements[name, default: 0] += 1
    attributes += values.map { (name, $0.key, $0.value) }
    open.append("")
  }

  func parser(_ parser: XMLParser, foundCharacters text: String) {
    if !open.isEmpty { open[open.count - 1] += text }
  }

  func parser(
    _ parser: XMLParser, didEndElement name: String, namespaceURI: String?, qualifiedName: String?
  ) {
    let text = open.removeLast()
    texts[name, default: []].append(text)
    if name == "td" || name == "th" { cells.append(text) }
  }
}

/// Laws of every page.
///
/// It is self-contained, has no scripts, and every drawing can be understood without being seen.
///
/// - Parameters:
///   - html: The page.
///   - sourceLocation: Where a failure is reported.
/// - Returns: The contents of the page.
@discardableResult
package func expectSound(
  _ html: String, sourceLocation: SourceLocation = #_sourceLocation
) -> PageReader {
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
