import MoECore

/// Sentencepiece's spelling of text: a visible mark stands for each space, and may open the text.
struct Metaspace: Sendable {
  /// When a mark is prepended to a text that does not begin with one.
  enum Prefix: String, Sendable {
    /// Before every piece of text between special tokens.
    case always
    /// Only at the very start.
    case first
    /// Never.
    case never
  }

  /// The mark, usually `▁`.
  let mark: Unicode.Scalar
  let prefix: Prefix
  /// Whether each mark begins a new piece.
  let splits: Bool

  /// Inserts marks into the pieces and splits them.
  func apply(to pieces: inout Pieces) {
    var markBytes: [UInt8] = []
    markBytes.append(scalar: mark)
    let startsText = pieces.startsText
    pieces.rewrite { piece, index, output in
      let start = output.count
      for byte in piece {
        if byte == UInt8(ascii: " ") {
          output.append(contentsOf: markBytes)
        } else {
          output.append(byte)
        }
      }
      guard prefix == .always || prefix == .first && index == 0 && startsText else { return }
      if !output[start...].starts(with: markBytes) {
        output.insert(contentsOf: markBytes, at: start)
      }
    }
    if splits { pieces.split(on: .mergedWithNext) { $0 == mark } }
  }

  /// Converts the marks of a token back to spaces; a leading mark of the first token is removed if
  /// it may have been prepended.
  func decode(_ token: String, isFirst: Bool) -> String {
    var result = String.UnicodeScalarView()
    for scalar in token.unicodeScalars {
      if scalar != mark {
        result.append(scalar)
      } else if !isFirst || prefix == .never {
        result.append(" ")
      }
    }
    return String(result)
  }

  /// Reads both the current key `prepend_scheme` and the older `add_prefix_space`.
  init(_ fields: JSONFields) throws(TokenizerError.Reason) {
    let replacement = try fields.string("replacement")
    guard let scalar = replacement.unicodeScalars.first, replacement.unicodeScalars.count == 1
    else {
      throw .invalidValue(
        key: fields.key("replacement"), found: "'\(replacement)'", expected: "one character")
    }
    let legacy = try fields.optionalBoolean("add_prefix_space")
    let scheme = try fields.optionalString("prepend_scheme")
    guard let prefix = scheme.map({ Prefix(rawValue: $0) }) ?? (legacy ?? true ? .always : .never)
    else {
      throw .invalidValue(
        key: fields.key("prepend_scheme"), found: "'\(scheme ?? "")'",
        expected: "'always', 'first' or 'never'")
    }
    mark = scalar
    self.prefix = prefix
    splits = try fields.optionalBoolean("split") ?? true
  }
}
