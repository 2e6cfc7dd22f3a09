/// Text as Python sees it, whose rules the harness follows: by Unicode scalars, with Python's white space.
enum HarnessText {
  /// What `str.isspace` of Python is true for: Unicode's white space and four separators of information.
  static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    scalar.properties.isWhitespace || 0x1C...0x1F ~= scalar.value
  }

  /// `str.strip`.
  static func stripped(_ text: String) -> String {
    let scalars = text.unicodeScalars
    guard let first = scalars.firstIndex(where: { !isSpace($0) }),
      let last = scalars.lastIndex(where: { !isSpace($0) })
    else { return "" }
    return String(scalars[first...last])
  }

  /// The text without white space at its end, and that white space.
  static func partingTrailingSpace(_ text: String) -> (text: String, space: String) {
    let scalars = text.unicodeScalars
    let end = scalars.lastIndex { !isSpace($0) }.map { scalars.index(after: $0) }
    let cut = end ?? scalars.startIndex
    return (String(scalars[..<cut]), String(scalars[cut...]))
  }

  /// `len(re.split(r"\s+", text))`: what white space separates, empty texts at the ends included.
  static func words(_ text: String) -> Int {
    var (runs, wasSpace) = (0, false)
    for scalar in text.unicodeScalars {
      let space = isSpace(scalar)
      if space, !wasSpace { runs += 1 }
      wasSpace = space
    }
    return runs + 1
  }

  /// The text with its first letter capitalized, and nothing else changed.
  static func capitalizingFirst(_ text: String) -> String {
    guard let first = text.unicodeScalars.first else { return text }
    return first.properties.titlecaseMapping + String(text.unicodeScalars.dropFirst())
  }

  /// The text with its first letter in lower case.
  static func loweringFirst(_ text: String) -> String {
    guard let first = text.unicodeScalars.first else { return text }
    return first.properties.lowercaseMapping + String(text.unicodeScalars.dropFirst())
  }

  /// `str.capitalize`: the first letter in title case, all others in lower case.
  static func capitalized(_ text: String) -> String {
    guard let first = text.unicodeScalars.first else { return text }
    return first.properties.titlecaseMapping
      + String(text.unicodeScalars.dropFirst()).lowercased()
  }

  /// The texts before and after the first (or last) place of another text; `nil` if it is not there.
  static func parted(
    _ text: String, at separator: String, last: Bool = false
  ) -> (before: String, after: String)? {
    let (bytes, wanted) = (Array(text.utf8), Array(separator.utf8))
    guard !wanted.isEmpty, bytes.count >= wanted.count else { return nil }
    let places = 0...(bytes.count - wanted.count)
    func isThere(_ place: Int) -> Bool { bytes[place...].starts(with: wanted) }
    guard let place = last ? places.last(where: isThere) : places.first(where: isThere) else {
      return nil
    }
    return (
      String(decoding: bytes[..<place], as: UTF8.self),
      String(decoding: bytes[(place + wanted.count)...], as: UTF8.self)
    )
  }

  /// `text[start...]` if the text begins so, by bytes; else `nil`.
  static func after(prefix: String, in text: String) -> String? {
    guard text.utf8.starts(with: prefix.utf8) else { return nil }
    return String(decoding: text.utf8.dropFirst(prefix.utf8.count), as: UTF8.self)
  }
}
