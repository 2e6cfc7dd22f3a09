import MoECore
public import SystemPackage

/// A self-contained page: no network, no scripts, one embedded style sheet.
///
/// It supports light and dark mode and printing, and is well-formed XML.
public struct Page: Sendable {
  /// A part of a section.
  public enum Block: Sendable {
    /// A paragraph.
    case paragraph(String)
    /// Important findings, one below another.
    case findings([String])
    /// Highlighted numbers, each with a label.
    case numbers([(value: String, label: String)])
    /// A table.
    case table(Table)
    /// Figures, side by side if there is room.
    case figures([Figure])
    /// A grid of images.
    case images(ImageGrid)
    /// Highlighted numbers, each with the command that prints it.
    case measurements([Measurement])
    /// The commands that produced the content above, one below another.
    case commands([String])
    /// Preformatted program output under a title.
    case passage(title: String, text: String)
  }

  /// A number, its label, and the command to reproduce it.
  public struct Measurement: Hashable, Sendable {
    /// The formatted number.
    public var value: String
    /// The label.
    public var label: String
    /// The command that prints it.
    public var command: String

    /// Describes a number.
    public init(_ value: String, _ label: String, command: String) {
      (self.value, self.label, self.command) = (value, label, command)
    }
  }

  /// A heading and its content.
  public struct Section: Sendable {
    /// The heading.
    public var title: String
    /// The parts, in order.
    public var blocks: [Block]

    /// Creates a section.
    public init(_ title: String, _ blocks: [Block]) { (self.title, self.blocks) = (title, blocks) }
  }

  /// The title.
  public var title: String
  /// A one-line summary under the title.
  public var summary: String
  /// The sections.
  public var sections: [Section]
  /// The page's footer; a program adds how it made the page.
  public var footer: String

  /// The footer of the pages of this module.
  static let allNumbers = "All numbers are in the tables below the figures."

  /// Collects sections.
  public init(_ title: String, summary: String, sections: [Section], footer: String = "") {
    (self.title, self.summary, self.sections, self.footer) = (title, summary, sections, footer)
  }

  /// The document.
  public var html: String {
    let head: [Markup] = [
      .element("meta", ["charset": "utf-8"]),
      .element("meta", ["name": "viewport", "content": "width=device-width, initial-scale=1"]),
      // The browser blocks all external resources.
      .element(
        "meta",
        [
          "http-equiv": "Content-Security-Policy",
          "content": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
        ]),
      .element("title", [:], text: title),
      .element("style", [:], [Markup(written: PageStyle.text)]),
    ]
    var figures = 0
    let parts = sections.enumerated().map { place, section in
      Markup.element(
        "section", ["id": "part-\(place + 1)"],
        [.element("h2", [:], text: section.title)]
          + section.blocks.map { Self.markup($0, &figures) })
    }
    let top = Markup.element(
      "header", [:],
      [.element("h1", [:], text: title), .element("p", [:], text: summary)]
        + (sections.count > 2 ? [contents] : []))
    let bottom = footer.isEmpty ? [] : [Markup.element("footer", [:], text: footer)]
    let document = Markup.element(
      "html", ["lang": "en"],
      [
        .element("head", [:], head),
        .element("body", [:], [.element("main", [:], [top] + parts + bottom)]),
      ])
    return "<!DOCTYPE html>\n" + document.source + "\n"
  }

  /// Writes the document atomically.
  ///
  /// - Throws: `FileError`.
  public func write(to path: FilePath) throws { try AtomicFile.write(html, to: path) }

  private var contents: Markup {
    .element(
      "nav", ["aria-label": "Contents"],
      sections.enumerated().map {
        .element("a", ["href": "#part-\($0 + 1)"], text: $1.title)
      })
  }

  private static func markup(_ block: Block, _ figures: inout Int) -> Markup {
    switch block {
    case .paragraph(let text): return .element("p", [:], text: text)
    case .findings(let sentences):
      return .element(
        "ul", ["class": "findings"], sentences.map { .element("li", [:], text: $0) })
    case .numbers(let numbers):
      return .element(
        "dl", ["class": "numbers"],
        numbers.map { number in
          .element(
            "div", [:],
            [.element("dt", [:], text: number.label), .element("dd", [:], text: number.value)])
        })
    case .table(let table): return table.markup
    case .figures(let list):
      let first = figures
      figures += list.count
      return .element(
        "div", ["class": "figures"],
        list.enumerated().map { $1.markup(id: "figure-\(first + $0 + 1)") })
    case .images(let grid): return grid.markup
    case .measurements(let list): return measured(list)
    case .commands(let lines):
      return .element("pre", ["class": "commands"], [lined(lines.map { "$ " + $0 })])
    case .passage(let title, let text):
      let lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
      return .element(
        "figure", ["class": "passage"],
        [.element("figcaption", [:], text: title), .element("pre", [:], [lined(lines)])])
    }
  }

  private static func measured(_ list: [Measurement]) -> Markup {
    .element(
      "dl", ["class": "numbers measured"],
      list.map { it in
        .element(
          "div", [:],
          [
            .element("dt", [:], [.text(it.label), .element("code", [:], text: it.command)]),
            .element("dd", [:], text: it.value),
          ])
      })
  }

  /// Lines of preformatted text, escaped except for line breaks.
  private static func lined(_ lines: [String]) -> Markup {
    .joined(
      lines.enumerated().flatMap { place, line in
        (place > 0 ? [Markup(written: "\n")] : []) + [.text(line)]
      })
  }
}
