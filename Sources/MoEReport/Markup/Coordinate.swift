import MoECore

/// Short number text for drawings.
enum Coordinate {
  static func text(_ value: Double) -> String {
    value.isFinite ? NumberText.plain(value, 1) : "0"
  }

  /// The approximate width of a text at font size 12.
  static func width(_ text: String) -> Double { Double(text.count) * 6.6 }

  /// The text, truncated with an ellipsis if there is not enough room.
  static func fit(_ text: String, in room: Double) -> String {
    let most = max(2, Int(room / 6.6))
    return text.count <= most ? text : text.prefix(most - 1) + "…"
  }
}

/// The elements of drawings.
enum Draw {
  static func text(_ text: String, x: Double, y: Double, _ kind: String = "") -> Markup {
    .element(
      "text", ["x": Coordinate.text(x), "y": Coordinate.text(y), "class": kind], text: text)
  }

  static func line(
    _ from: (x: Double, y: Double), _ to: (x: Double, y: Double), _ kind: String
  ) -> Markup {
    .element(
      "line",
      [
        "x1": Coordinate.text(from.x), "y1": Coordinate.text(from.y), "x2": Coordinate.text(to.x),
        "y2": Coordinate.text(to.y), "class": kind,
      ])
  }

  /// A rectangle, optionally with a tooltip.
  static func box(
    x: Double, y: Double, width: Double, height: Double, _ kind: String, tip: String? = nil
  ) -> Markup {
    .element(
      "rect",
      [
        "x": Coordinate.text(x), "y": Coordinate.text(y),
        "width": Coordinate.text(max(0, width)), "height": Coordinate.text(max(0, height)),
        "class": kind,
      ], tip.map { [.element("title", [:], text: $0)] } ?? [])
  }
}

/// A legend of several series, wrapped into lines.
struct Legend {
  let markup: [Markup]
  let height: Double

  /// Lines of names from `left` on, `width` wide, the first at `top`.
  init(_ names: [String], lines isLine: Bool, left: Double, top: Double, width: Double) {
    var (x, y, result) = (left, top + 12, [Markup]())
    guard names.count > 1 else {
      (markup, height) = ([], 0)
      return
    }
    for (place, name) in names.enumerated() {
      let name = Coordinate.fit(name, in: width - 40)
      let size = 40 + Coordinate.width(name)
      if x > left, x + size > left + width { (x, y) = (left, y + 18) }
      if isLine {
        result.append(Draw.line((x, y - 4), (x + 24, y - 4), "series c\(place % 7)"))
      } else {
        result.append(Draw.box(x: x + 6, y: y - 10, width: 12, height: 12, "f\(place % 7)"))
      }
      result.append(Draw.text(name, x: x + 29, y: y))
      x += size + 6
    }
    (markup, height) = (result, y - top + 10)
  }
}
