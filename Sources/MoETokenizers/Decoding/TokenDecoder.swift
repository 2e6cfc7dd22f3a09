import MoECore

/// One step from tokens back to text.
enum TokenDecoder: Sendable {
  /// Converts GPT-2's byte alphabet to bytes and joins all tokens.
  case byteLevel
  /// Converts tokens such as `<0x0A>` to bytes.
  case byteFallback
  /// Joins all tokens.
  case fuse
  /// Removes up to `start` and `stop` characters at the ends of each token.
  case strip(Unicode.Scalar, start: Int, stop: Int)
  /// Replaces a text in each token.
  case replace([UInt8], by: [UInt8])
  /// Converts SentencePiece's marks to spaces.
  case metaspace(Metaspace)
  /// Inserts spaces, except before a prefix such as `##` that continues a word.
  case wordPiece(prefix: [UInt8], cleansUp: Bool)
  /// Inserts spaces between tokens, as the reference library does without a decoder.
  case spaced

  /// Reads the `decoder` of a tokenizer file as a list of steps.
  static func read(_ fields: JSONFields) throws(TokenizerError.Reason) -> [TokenDecoder] {
    let steps = try steps(fields)
    var isOneToken = false
    var growth = 1
    for step in steps {
      if isOneToken, !step.worksInParts {
        throw fields.unsupported("a decoder that needs whole tokens after Fuse or ByteLevel")
      }
      switch step {
      case .fuse, .byteLevel: isOneToken = true
      case .replace(let pattern, let content): growth *= Normalizer.growth(pattern, content)
      default: break
      }
      guard growth <= Normalizer.largestGrowth else {
        throw fields.unsupported("replacements that make a text \(growth) times as long")
      }
    }
    return steps
  }

  /// Whether a token may arrive in several parts.
  private var worksInParts: Bool {
    switch self {
    case .fuse, .strip, .metaspace: true
    case .replace(let pattern, _):
      String(decoding: pattern, as: UTF8.self).unicodeScalars.count == 1
    case .byteLevel, .byteFallback, .wordPiece, .spaced: false
    }
  }

  private static func steps(
    _ fields: JSONFields
  ) throws(TokenizerError.Reason) -> [TokenDecoder] {
    let type = try fields.type()
    switch type {
    case "ByteLevel": return [.byteLevel]
    case "ByteFallback": return [.byteFallback]
    case "Fuse": return [.fuse]
    case "Strip": return [try strip(fields)]
    case "Replace":
      let content = try Normalizer.short(fields, "content")
      return [.replace(try Normalizer.pattern(of: fields), by: content)]
    case "Metaspace": return [.metaspace(try Metaspace(fields))]
    case "WordPiece":
      return [
        .wordPiece(
          prefix: Array(try fields.string("prefix").utf8),
          cleansUp: try fields.optionalBoolean("cleanup") ?? true)
      ]
    case "Sequence":
      var steps: [TokenDecoder] = []
      for step in try fields.list("decoders") { steps += try Self.steps(step) }
      return steps
    default: throw fields.unsupported("the decoder \(type)")
    }
  }

  private static func strip(_ fields: JSONFields) throws(TokenizerError.Reason) -> TokenDecoder {
    let content = try fields.string("content")
    guard let scalar = content.unicodeScalars.first, content.unicodeScalars.count == 1 else {
      throw .invalidValue(
        key: fields.key("content"), found: "'\(content)'", expected: "one character")
    }
    return .strip(
      scalar, start: try fields.integer("start", in: 0...1_000_000),
      stop: try fields.integer("stop", in: 0...1_000_000))
  }
}
