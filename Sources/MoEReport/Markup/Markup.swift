import MoECore

/// A piece of HTML or SVG, well-formed also as XML, in which all text has been escaped.
///
/// It can be made of text and of elements only, so names from files cannot become markup.
public struct Markup: Hashable, Sendable {
  /// The characters, as they stand in the page.
  public let source: String

  /// What this module itself has written as markup.
  init(written source: String) { self.source = source }

  /// Text: markup characters are escaped, and control characters spelt out.
  public static func text(_ text: String) -> Markup { Markup(written: escaped(text)) }

  /// An element.
  ///
  /// - Parameters:
  ///   - name: Its name; a constant of the caller's, never text from a file.
  ///   - attributes: Names, constants as well, and values, which are escaped.
  ///   - children: What it holds.
  /// - Returns: The element.
  public static func element(
    _ name: String, _ attributes: KeyValuePairs<String, String> = [:], _ children: [Markup] = []
  ) -> Markup {
    var result = "<" + name
    for (key, value) in attributes { result += " \(key)=\"\(escaped(value))\"" }
    if children.isEmpty, empty.contains(name) { return Markup(written: result + " />") }
    result += ">"
    for child in children { result += child.source }
    return Markup(written: result + "</\(name)>")
  }

  /// An element that holds text alone.
  public static func element(
    _ name: String, _ attributes: KeyValuePairs<String, String> = [:], text: String
  ) -> Markup {
    element(name, attributes, [.text(text)])
  }

  /// Several pieces, one after another.
  public static func joined(_ parts: [Markup]) -> Markup {
    Markup(written: parts.map(\.source).joined())
  }

  /// Elements that HTML closes by itself, and those of SVG that hold nothing.
  private static let empty: Set<String> = [
    "meta", "br", "img", "path", "rect", "circle", "line", "polyline",
  ]

  static func escaped(_ text: String) -> String {
    var result = ""
    result.reserveCapacity(text.utf8.count)
    for scalar in text.printable.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      // XML has no way to write these.
      case "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
