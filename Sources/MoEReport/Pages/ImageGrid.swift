import Foundation

/// Pictures in rows, inside the page.
public struct ImageGrid: Sendable {
  /// A picture.
  public struct Item: Sendable {
    /// A PNG file's bytes.
    public var png: [UInt8]
    /// What stands below it; also what is read to those who cannot see it.
    public var label: String

    /// Names a picture.
    public init(png: [UInt8], label: String) { (self.png, self.label) = (png, label) }
  }

  /// The pictures, row by row.
  public var items: [Item]
  /// Width of each in pixels of the page; small pictures are enlarged without smoothing.
  public var width: Int

  /// Collects pictures.
  public init(_ items: [Item], width: Int = 96) { (self.items, self.width) = (items, width) }

  var markup: Markup {
    .element(
      "div", ["class": "images"],
      items.map { item in
        .element(
          "figure", ["style": "width: \(width)px"],
          [
            .element(
              "img",
              [
                "src": "data:image/png;base64," + Data(item.png).base64EncodedString(),
                "alt": item.label, "width": "\(width)",
              ]), .element("figcaption", [:], text: item.label),
          ])
      })
  }
}
