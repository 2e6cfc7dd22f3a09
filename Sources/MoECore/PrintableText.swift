extension String {
  /// The text with control characters and line breaks escaped, so that names from files can neither
  /// move a terminal's cursor nor break a line.
  public var printable: String { escaped { $0.canSteerTerminals } }

  /// The same for a text of several lines, which stay lines.
  public var printableLines: String { escaped { $0 != "\n" && $0.canSteerTerminals } }

  /// The same for the output of a program, in which only control characters are out of place.
  public var printableOutput: String {
    escaped { $0.properties.generalCategory == .control && $0 != "\n" && $0 != "\t" }
  }

  /// The text without its middle if it is longer than a limit; both ends stay, because messages begin with
  /// the place and end with the advice.
  ///
  /// - Parameter limit: Number of code points, at least 2.
  /// - Returns: The text, or its ends with the number of code points between them.
  public func shortened(to limit: Int) -> String {
    // Counting code points would take as long as the text.
    guard utf8.count > limit else { return self }
    let scalars = unicodeScalars
    let total = scalars.count
    guard total > limit else { return self }
    let (head, tail) = (scalars.prefix(limit - limit / 2), scalars.suffix(limit / 2))
    return "\(String(head)) … (\(total - limit) more characters) … \(String(tail))"
  }

  /// A value from a file as messages show it: on one line, and not longer than a line or two.
  public var printableValue: String { shortened(to: 160).printable }

  private func escaped(_ isEscaped: (Unicode.Scalar) -> Bool) -> String {
    guard unicodeScalars.contains(where: isEscaped) else { return self }
    var result = String.UnicodeScalarView()
    for scalar in unicodeScalars {
      if isEscaped(scalar) {
        result.append(contentsOf: "\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
      } else {
        result.append(scalar)
      }
    }
    return String(result)
  }
}

extension Unicode.Scalar {
  /// Whether the scalar moves a cursor, breaks a line, or changes the direction of text.
  var canSteerTerminals: Bool {
    switch properties.generalCategory {
    // The zero-width joiner of emoji sequences is harmless and needed.
    case .control, .lineSeparator, .paragraphSeparator, .format: self != "\u{200D}"
    default: false
    }
  }
}
