/// BERT's cleaning: control characters, space around Chinese characters, accents, letter case.
struct BertNormalizer: Sendable {
  let cleansText: Bool
  let spacesChineseCharacters: Bool
  let stripsAccents: Bool
  let lowercases: Bool

  /// Reads the settings; accents go where letters become small unless the file says otherwise.
  init(_ fields: JSONFields) throws(TokenizerError.Reason) {
    cleansText = try fields.optionalBoolean("clean_text") ?? true
    spacesChineseCharacters = try fields.optionalBoolean("handle_chinese_chars") ?? true
    lowercases = try fields.optionalBoolean("lowercase") ?? true
    stripsAccents = try fields.optionalBoolean("strip_accents") ?? lowercases
  }

  func apply(to text: inout [UInt8]) {
    if cleansText { clean(&text) }
    if spacesChineseCharacters {
      text.mapScalars { Self.isChinese($0.value) ? " \($0) ".utf8 : String($0).utf8 }
    }
    if stripsAccents {
      UnicodeForm(composes: false, isCompatible: false).apply(to: &text)
      text.removeScalars { $0.properties.generalCategory == .nonspacingMark }
    }
    if lowercases { Normalizer.lowercase.apply(to: &text) }
  }

  private func clean(_ text: inout [UInt8]) {
    text.removeScalars(where: Self.isRemoved)
    text.mapScalars { $0.properties.isWhitespace ? " ".utf8 : String($0).utf8 }
  }

  private static func isRemoved(_ scalar: Unicode.Scalar) -> Bool {
    switch scalar {
    case "\t", "\n", "\r": return false
    case "\u{FFFD}": return true
    default: break
    }
    switch scalar.properties.generalCategory {
    case .control, .format, .privateUse, .surrogate: return true
    default: return false
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
