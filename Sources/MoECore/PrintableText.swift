extension String {
  /// The text with control characters and line breaks escaped, so that names from files can neither
  /// move a terminal's cursor nor break a line.
  public var printable: String {
    String(String.UnicodeScalarView(unicodeScalars.flatMap(Self.spelt)))
  }

  private static func spelt(_ scalar: Unicode.Scalar) -> [Unicode.Scalar] {
    switch scalar.properties.generalCategory {
    case .control, .lineSeparator, .paragraphSeparator, .format:
      // The zero-width joiner of emoji sequences is harmless and needed.
      scalar == "\u{200D}"
        ? [scalar] : Array("\\u{\(String(scalar.value, radix: 16))}".unicodeScalars)
    default: [scalar]
    }
  }
}
