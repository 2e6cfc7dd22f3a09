import MoECore

/// A piece of HTML or SVG that is also well-formed XML, with all text escaped.
///
/// It consists only of text and elements, so names from files cannot become markup.
public struct Markup: Hashable, Sendable {
  /// The source text, as it appears in the page.
  public let source: String

  /// Wraps markup written by this module.
  init(written source: String) { self.source = source }

  /// Text, with markup and control characters escaped.
  public static func text(_ text: String) -> Markup { Markup(written: escaped(text)) }

  /// An element.
  ///
  /// - Parameters:
  ///   - name: Its name: a constant in the caller's code, never text from a file.
  ///   - attributes: Names, which are constants too, and values, which are escaped.
  ///   - children: Its content.
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

  /// An element with only text.
  public static func element(
    _ name: String, _ attributes: KeyValuePairs<String, String> = [:], text: String
  ) -> Markup {
    element(name, attributes, [.text(text)])
  }

  /// Several pieces, one after another.
  public static func joined(_ parts: [Markup]) -> Markup {
    Markup(written: parts.map(\.source).joined())
  }

  /// Void elements of HTML, and SVG elements without content.
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
      // XML cannot represent these.
      case "\u{FFFE}", "\u{FFFF}": result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
