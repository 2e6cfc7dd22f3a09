/// A token, or a part of one, during decoding.
struct TokenPart {
  var text: String
  /// Whether a token begins here; otherwise this continues the previous part.
  var startsToken = true
}

/// The state of a ``TokenDecoder``: takes tokens one at a time and holds back incomplete output.
struct DecoderStep: Sendable {
  private let decoder: TokenDecoder
  /// The number of tokens so far.
  private var count = 0
  /// Bytes of an incomplete character, or a run of byte tokens.
  private var pending: [UInt8] = []
  /// How many characters ``TokenDecoder/strip(_:start:stop:)`` may still remove at the token's
  /// start.
  private var stripsLeft = 0
  /// How many characters it may have to remove at the token's end.
  private var held = 0

  init(_ decoder: TokenDecoder) { self.decoder = decoder }

  /// Processes a part and appends the output that is now certain.
  mutating func feed(_ part: TokenPart, into output: inout [TokenPart]) {
    if part.startsToken { count += 1 }
    switch decoder {
    case .byteLevel: feedBytes(ByteAlphabet.bytes(of: part.text) ?? Array(part.text.utf8), &output)
    case .byteFallback: feedFallback(part, &output)
    case .fuse:
      output.append(TokenPart(text: part.text, startsToken: count == 1 && part.startsToken))
    case .strip(let scalar, let start, let stop): strip(part, scalar, start, stop, &output)
    case .replace(let pattern, let content):
      var bytes = Array(part.text.utf8)
      bytes.replace(pattern, by: content)
      append(String(decoding: bytes, as: UTF8.self), part, &output)
    case .metaspace(let metaspace):
      append(metaspace.decode(part.text, isFirst: count == 1), part, &output)
    case .wordPiece(let prefix, let cleansUp):
      append(wordPiece(part.text, prefix, cleansUp: cleansUp), part, &output)
    case .spaced: append((count > 1 ? " " : "") + part.text, part, &output)
    }
  }

  /// Appends the held-back output at the end of the input.
  mutating func finish(into output: inout [TokenPart]) {
    switch decoder {
    case .byteLevel:
      guard !pending.isEmpty else { return }
      output.append(
        TokenPart(text: String(decoding: pending, as: UTF8.self), startsToken: false))
      pending = []
    case .byteFallback: endRun(&output)
    default: break  // What `strip` holds back is removed.
    }
  }

  private func append(_ text: String, _ part: TokenPart, _ output: inout [TokenPart]) {
    output.append(TokenPart(text: text, startsToken: part.startsToken))
  }

  // MARK: Bytes

  private mutating func feedBytes(_ bytes: [UInt8], _ output: inout [TokenPart]) {
    pending += bytes
    let complete = pending.count - Self.unfinished(pending)
    output.append(
      TokenPart(
        text: String(decoding: pending[..<complete], as: UTF8.self), startsToken: count == 1))
    pending.removeFirst(complete)
  }

  /// The number of bytes at the end that begin an incomplete character.
  private static func unfinished(_ bytes: [UInt8]) -> Int {
    for count in 1...3 where count <= bytes.count {
      let byte = bytes[bytes.count - count]
      if byte & 0xC0 == 0x80 { continue }
      let length = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC2 ? 2 : 1
      return byte <= 0xF4 && length > count ? count : 0
    }
    return 0
  }

  private mutating func feedFallback(_ part: TokenPart, _ output: inout [TokenPart]) {
    if let byte = Self.byte(part.text) { return pending.append(byte) }
    endRun(&output)
    output.append(part)
  }

  /// Decodes a run of byte tokens as a whole; if it is invalid, each byte becomes a replacement
  /// character.
  private mutating func endRun(_ output: inout [TokenPart]) {
    guard !pending.isEmpty else { return }
    if let text = String(validating: pending, as: UTF8.self) {
      output.append(TokenPart(text: text))
    } else {
      for _ in pending { output.append(TokenPart(text: "\u{FFFD}")) }
    }
    pending.removeAll()
  }

  /// The byte of a token such as `<0x0A>`.
  static func byte(_ token: String) -> UInt8? {
    let bytes = Array(token.utf8)
    guard bytes.count == 6, bytes.starts(with: "<0x".utf8), bytes[5] == UInt8(ascii: ">"),
      bytes[3] != UInt8(ascii: "-")
    else { return nil }
    return UInt8(String(decoding: bytes[3..<5], as: UTF8.self), radix: 16)
  }

  // MARK: Ends and spaces

  private mutating func strip(
    _ part: TokenPart, _ scalar: Unicode.Scalar, _ start: Int, _ stop: Int,
    _ output: inout [TokenPart]
  ) {
    if part.startsToken { (stripsLeft, held) = (start, 0) }
    var text = String.UnicodeScalarView()
    for next in part.text.unicodeScalars {
      if next == scalar, stripsLeft > 0 {
        stripsLeft -= 1
      } else if next == scalar, held < stop {
        stripsLeft = 0
        held += 1
      } else if next == scalar {
        text.append(next)
      } else {
        text.append(contentsOf: repeatElement(scalar, count: held))
        text.append(next)
        (stripsLeft, held) = (0, 0)
      }
    }
    append(String(text), part, &output)
  }

  private func wordPiece(_ token: String, _ prefix: [UInt8], cleansUp: Bool) -> String {
    var bytes = Array(token.utf8)
    if count > 1 {
      if bytes.starts(with: prefix) {
        bytes.removeFirst(prefix.count)
      } else {
        bytes.insert(UInt8(ascii: " "), at: 0)
      }
    }
    if cleansUp {
      for (pattern, content) in Self.cleanups { bytes.replace(pattern, by: content) }
    }
    return String(decoding: bytes, as: UTF8.self)
  }

  /// The replacements of BERT's clean-up, in this order.
  private static let cleanups: [([UInt8], [UInt8])] = [
    (" .", "."), (" ?", "?"), (" !", "!"), (" ,", ","), (" ' ", "'"), (" n't", "n't"),
    (" 'm", "'m"), (" do not", " don't"), (" 's", "'s"), (" 've", "'ve"), (" 're", "'re"),
  ].map { (Array($0.0.utf8), Array($0.1.utf8)) }
}
