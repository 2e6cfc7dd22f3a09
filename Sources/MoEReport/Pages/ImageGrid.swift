import Foundation

/// A grid of images embedded in the page.
public struct ImageGrid: Sendable {
  /// An image.
  public struct Item: Sendable {
    /// A PNG file's bytes.
    public var png: [UInt8]
    /// The caption, also used as alternative text.
    public var label: String

    /// Labels an image.
    public init(png: [UInt8], label: String) { (self.png, self.label) = (png, label) }
  }

  /// The images, row by row.
  public var items: [Item]
  /// Width of each in CSS pixels; small images are enlarged without smoothing.
  public var width: Int

  /// Collects images.
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
