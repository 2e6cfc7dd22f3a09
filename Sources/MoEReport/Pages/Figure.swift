/// An accessible drawing: with a title, a description and a table of its values.
public struct Figure: Hashable, Sendable {
  /// The title.
  public var title: String
  /// A description in a sentence or two, for readers who cannot see the drawing.
  public var description: String
  /// How to read it, shown under the title; may be empty.
  public var note: String
  /// The values, shown on demand.
  public var table: Table
  /// Width of the drawing in its units, about a pixel each.
  public var width: Double
  /// Height of the drawing.
  public var height: Double
  /// The drawing: SVG elements.
  public var drawing: Markup

  /// Collects a drawing and its text alternatives.
  public init(
    _ title: String, description: String, note: String = "", table: Table, width: Double,
    height: Double, drawing: Markup
  ) {
    (self.title, self.description, self.note, self.table) = (title, description, note, table)
    (self.width, self.height, self.drawing) = (width, height, drawing)
  }

  /// The width of small figures: two or three fit next to each other on a wide screen, and one is
  /// readable on a phone.
  public static let commonWidth = 460.0

  /// Whether the drawing takes a whole row, and scrolls if there is less room.
  var isWide: Bool { width > Self.commonWidth }

  /// The figure as part of a page.
  func markup(id: String) -> Markup {
    let caption =
      [Markup.element("h3", [:], text: title)]
      + (note.isEmpty ? [] : [.element("p", [:], text: note)])
    let frame = Markup.element(
      "div", isWide ? ["class": "drawing", "tabindex": "0"] : ["class": "drawing"],
      [svg(id: id, minimumWidth: isWide ? width * 0.8 : nil)])
    let numbers = Markup.element(
      "details", [:], [.element("summary", [:], text: "Numbers"), table.markup])
    return .element(
      "figure", isWide ? ["class": "wide"] : [:],
      [.element("figcaption", [:], caption), frame, numbers])
  }

  private func svg(id: String, minimumWidth: Double?) -> Markup {
    let texts = [
      Markup.element("title", ["id": id + "-title"], text: title),
      Markup.element("desc", ["id": id + "-description"], text: description),
    ]
    let box = "0 0 \(Coordinate.text(width)) \(Coordinate.text(height))"
    let labels = "\(id)-title \(id)-description"
    guard let minimumWidth else {
      return .element(
        "svg", ["viewBox": box, "role": "img", "aria-labelledby": labels], texts + [drawing])
    }
    return .element(
      "svg",
      [
        "viewBox": box, "role": "img", "aria-labelledby": labels,
        "style":
          "min-width: \(Coordinate.text(minimumWidth))px; max-width: \(Coordinate.text(width * 1.25))px",
      ], texts + [drawing])
  }
}
