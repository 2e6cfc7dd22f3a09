/// A text split into pieces, which the model encodes separately.
struct Pieces {
  /// The text; pre-tokenizers may rewrite it.
  var bytes: [UInt8]
  /// The non-empty pieces, in order.
  var ranges: [Range<Int>]
  /// Whether the first piece is at the start of the user's text.
  let startsText: Bool

  init(_ bytes: [UInt8], startsText: Bool) {
    self.bytes = bytes
    self.startsText = startsText
    ranges = bytes.isEmpty ? [] : [0..<bytes.count]
  }

  /// Replaces each piece by the parts that `body` returns, without empty ones.
  mutating func split(
    _ body: (_ text: Span<UInt8>, _ piece: Range<Int>, _ part: (Range<Int>) -> Void) -> Void
  ) {
    var parts: [Range<Int>] = []
    parts.reserveCapacity(max(ranges.count, bytes.count / 5))
    for range in ranges {
      body(bytes.span, range) { if !$0.isEmpty { parts.append($0) } }
    }
    ranges = parts
  }

  /// Splits each piece around, or only before, characters for which `isSeparator` is true.
  mutating func split(
    on separator: SeparatorBehavior, where isSeparator: (Unicode.Scalar) -> Bool
  ) {
    split { text, piece, part in
      var start = piece.lowerBound
      text.forEachScalar(in: piece) { scalar, range in
        guard isSeparator(scalar) else { return }
        part(start..<range.lowerBound)
        switch separator {
        case .removed: start = range.upperBound
        case .isolated:
          part(range)
          start = range.upperBound
        case .mergedWithNext: start = range.lowerBound
        }
      }
      part(start..<piece.upperBound)
    }
  }

  /// Rewrites each piece.
  mutating func rewrite(
    _ body: (_ piece: ArraySlice<UInt8>, _ index: Int, _ output: inout [UInt8]) -> Void
  ) {
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count + ranges.count)
    for index in ranges.indices {
      let start = output.count
      body(bytes[ranges[index]], index, &output)
      ranges[index] = start..<output.count
    }
    bytes = output
  }
}

/// What happens to the characters at which a text is split.
enum SeparatorBehavior {
  /// They are removed.
  case removed
  /// Each becomes a piece.
  case isolated
  /// Each begins the next piece.
  case mergedWithNext
}

/// A step that splits the text into pieces before it is passed to the model.
indirect enum PreTokenizer: Sendable {
  /// GPT-2's byte alphabet, which the model handles itself, with GPT-2's splitting if `pattern` is
  /// set.
  case byteLevel(addsPrefixSpace: Bool, pattern: PatternScanner?)
  /// Matches of a pattern; `keepsRest` states whether the text between them is kept.
  case split(PatternScanner, keepsRest: Bool)
  /// Numbers, as runs or as single digits.
  case digits(individually: Bool)
  /// SentencePiece's marks for spaces.
  case metaspace(Metaspace)
  /// BERT's words and punctuation.
  case bert
  /// Runs of anything but white space.
  case whitespaceSplit
  /// Several steps, one after another.
  case sequence([PreTokenizer])

  /// Splits the pieces of earlier steps.
  ///
  /// - Complexity: O(bytes).
  func apply(to pieces: inout Pieces) {
    switch self {
    case .byteLevel(let addsPrefixSpace, let pattern):
      if addsPrefixSpace { Self.addPrefixSpaces(to: &pieces) }
      if let pattern { Self.split(pattern, keepsRest: true, &pieces) }
    case .split(let pattern, let keepsRest):
      Self.split(pattern, keepsRest: keepsRest, &pieces)
    case .digits(let individually): Self.splitDigits(individually: individually, &pieces)
    case .metaspace(let metaspace): metaspace.apply(to: &pieces)
    case .bert:
      pieces.split(on: .removed, where: Self.isSpace)
      pieces.split(on: .isolated, where: Self.isBertPunctuation)
    case .whitespaceSplit: pieces.split(on: .removed, where: Self.isSpace)
    case .sequence(let steps): for step in steps { step.apply(to: &pieces) }
    }
  }

  /// Whether pieces are spelled in GPT-2's byte alphabet afterwards.
  var isByteLevel: Bool {
    switch self {
    case .byteLevel: true
    case .sequence(let steps): steps.contains { $0.isByteLevel }
    default: false
    }
  }

  private static func addPrefixSpaces(to pieces: inout Pieces) {
    pieces.rewrite { piece, _, output in
      if piece.first != UInt8(ascii: " ") { output.append(UInt8(ascii: " ")) }
      output.append(contentsOf: piece)
    }
  }

  private static func split(_ pattern: PatternScanner, keepsRest: Bool, _ pieces: inout Pieces) {
    pieces.split { text, piece, part in
      pattern.forEachPiece(text, in: piece) { range, isMatch in
        if isMatch || keepsRest { part(range) }
      }
    }
  }

  private static func splitDigits(individually: Bool, _ pieces: inout Pieces) {
    let classes = ScalarClasses.shared
    let isNumber = { (scalar: Unicode.Scalar) in
      classes(scalar.value) & ScalarClasses.Class.number != 0
    }
    if individually { return pieces.split(on: .isolated, where: isNumber) }
    pieces.split { text, piece, part in
      var start = piece.lowerBound
      var inNumber = false
      text.forEachScalar(in: piece) { scalar, range in
        guard isNumber(scalar) != inNumber else { return }
        part(start..<range.lowerBound)
        start = range.lowerBound
        inNumber.toggle()
      }
      part(start..<piece.upperBound)
    }
  }

  private static func isSpace(_ scalar: Unicode.Scalar) -> Bool {
    ScalarClasses.shared(scalar.value) & ScalarClasses.Class.space != 0
  }

  /// Punctuation as BERT defines it, which includes ASCII symbols.
  private static func isBertPunctuation(_ scalar: Unicode.Scalar) -> Bool {
    let found = ScalarClasses.shared(scalar.value)
    let symbol = scalar.isASCII ? ScalarClasses.Class.symbol : 0
    return found & (ScalarClasses.Class.punctuation | symbol) != 0
  }
}
