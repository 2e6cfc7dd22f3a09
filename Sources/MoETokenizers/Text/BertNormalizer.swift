import MoECore

/// BERT's cleaning: control characters, space around Chinese characters, accents, letter case.
struct BertNormalizer: Sendable {
  let cleansText: Bool
  let spacesChineseCharacters: Bool
  let stripsAccents: Bool
  let lowercases: Bool

  /// Reads the settings; by default, accents are removed if letters are lowercased.
  init(_ fields: JSONFields) throws(TokenizerError.Reason) {
    cleansText = try fields.optionalBoolean("clean_text") ?? true
    spacesChineseCharacters = try fields.optionalBoolean("handle_chinese_chars") ?? true
    lowercases = try fields.optionalBoolean("lowercase") ?? true
    stripsAccents = try fields.optionalBoolean("strip_accents") ?? lowercases
  }

  /// Normalizes `text`, which must be valid UTF-8.
  ///
  /// Runs of ASCII take a fast path: no step makes characters on either side of them interact.
  func apply(to text: inout [UInt8]) {
    var output: [UInt8] = []
    output.reserveCapacity(text.count)
    var position = 0
    while position < text.count {
      if text[position] < 0x80 {
        appendASCII(text[position], to: &output)
        position += 1
        continue
      }
      var end = position + 1
      while end < text.count, text[end] >= 0x80 { end += 1 }
      var run = Array(text[position..<end])
      applyToRun(&run)
      output += run
      position = end
    }
    text = output
  }

  private func appendASCII(_ byte: UInt8, to output: inout [UInt8]) {
    switch byte {
    case 0x09, 0x0A, 0x0D: output.append(cleansText ? 0x20 : byte)
    case 0x00..<0x20, 0x7F: if !cleansText { output.append(byte) }
    case UInt8(ascii: "A")...UInt8(ascii: "Z"): output.append(lowercases ? byte | 0x20 : byte)
    default: output.append(byte)
    }
  }

  private func applyToRun(_ text: inout [UInt8]) {
    if cleansText {
      text.removeScalars(where: Self.isRemoved)
      text.mapScalars { $0.properties.isWhitespace ? " ".utf8 : String($0).utf8 }
    }
    if spacesChineseCharacters {
      text.mapScalars { Self.isChinese($0.value) ? " \($0) ".utf8 : String($0).utf8 }
    }
    if stripsAccents {
      UnicodeForm(composes: false, isCompatible: false).apply(to: &text)
      text.removeScalars { $0.properties.generalCategory == .nonspacingMark }
    }
    if lowercases { Normalizer.lowercase.apply(to: &text) }
  }

  private static func isRemoved(_ scalar: Unicode.Scalar) -> Bool {
    if scalar == "\u{FFFD}" { return true }
    return switch scalar.properties.generalCategory {
    case .control, .format, .privateUse, .surrogate: true
    default: false
    }
  }

  private static func isChinese(_ value: UInt32) -> Bool {
    switch value {
    case 0x4E00...0x9FFF, 0x3400...0x4DBF, 0x20000...0x2A6DF, 0x2A700...0x2B73F, 0x2B740...0x2B81F,
      0x2B920...0x2CEAF, 0xF900...0xFAFF, 0x2F800...0x2FA1F:
      true
    default: false
    }
  }
}
