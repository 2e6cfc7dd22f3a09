/// Places at which a text can be cut so that its parts, encoded one after another without special
/// tokens, give the same ids as the whole.
///
/// They depend on the tokenizer (``Tokenizer/cuts``): where the text is not split into words, or
/// begins differently from its other parts, there may be none.
public struct TextCuts: OptionSet, Hashable, Sendable {
  /// One bit per kind of place.
  public let rawValue: Int

  /// Creates a set of kinds.
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// Between an ASCII letter and a single space that an ASCII letter follows: before the space.
  public static let beforeSpace = TextCuts(rawValue: 1)
  /// Between a single line feed, which follows a character that is not white space, and another
  /// character that is not white space.
  public static let afterLine = TextCuts(rawValue: 2)

  static let all: TextCuts = [.beforeSpace, .afterLine]
}

extension Tokenizer {
  /// Where a text may be cut, for texts that are encoded in parts.
  public var cuts: TextCuts {
    var cuts = TextCuts.all
    if let normalizer { cuts.formIntersection(normalizer.cuts) }
    cuts.formIntersection(added.cuts)
    return TextCuts(
      [TextCuts.beforeSpace, .afterLine].filter {
        cuts.contains($0) && preTokenizer?.effect(at: $0) == .separates
      })
  }
}

extension Normalizer {
  /// Where cutting a text changes nothing about its normalization.
  fileprivate var cuts: TextCuts {
    switch self {
    case .unicode(let form): form.isCompatible ? .beforeSpace : .all
    case .lowercase: .all
    // They can remove all that stands between two line feeds.
    case .stripAccents, .bert: .beforeSpace
    case .prepend, .replace: []
    case .sequence(let steps): steps.reduce(.all) { $0.intersection($1.cuts) }
    }
  }
}

extension AddedTokens {
  /// Where no added token can begin before a cut and end after it, or depend on what is there.
  fileprivate var cuts: TextCuts {
    byID.values.reduce(.all) { cuts, token in
      let texts = [token.content, text(token.id)].compactMap { $0.map { Array($0.utf8) } }
      return texts.reduce(cuts) { $0.intersection(Self.cuts(token, text: $1)) }
    }
  }

  private static func cuts(_ token: AddedToken, text: [UInt8]) -> TextCuts {
    var cuts = TextCuts.all
    let spans = text.indices.dropFirst().contains { place in
      text[place] == UInt8(ascii: " ") && text[place - 1].isASCIILetter
        && (place + 1 == text.count || text[place + 1].isASCIILetter)
    }
    if spans || token.stripsRight && text.last?.isASCIILetter == true
      || token.isSingleWord && text.first == UInt8(ascii: " ")
    {
      cuts.remove(.beforeSpace)
    }
    if text.contains(UInt8(ascii: "\n")) || token.stripsLeft || token.stripsRight {
      cuts.remove(.afterLine)
    }
    return cuts
  }
}

extension UInt8 {
  var isASCIILetter: Bool { UInt8(ascii: "a")...UInt8(ascii: "z") ~= self | 0x20 }
}

/// What a step of pre-tokenization does at a cut.
private enum CutEffect {
  /// One piece ends and another begins there, with or without the cut.
  case separates
  /// Nothing, with or without the cut.
  case ignores
  /// Something that the cut may change.
  case crosses
}

extension PreTokenizer {
  fileprivate func effect(at cut: TextCuts) -> CutEffect {
    switch self {
    case .byteLevel(let addsPrefixSpace, let pattern):
      if addsPrefixSpace, cut == .afterLine { return .crosses }
      return pattern?.effect(at: cut) ?? .ignores
    case .split(let pattern, _): return pattern.effect(at: cut)
    case .digits: return .ignores
    case .metaspace(let metaspace):
      if cut == .afterLine { return metaspace.prefix == .never ? .ignores : .crosses }
      return metaspace.splits ? .separates : .ignores
    case .bert, .whitespaceSplit: return .separates
    case .sequence(let steps):
      // Steps after the one that separates see the same pieces with and without the cut.
      return steps.lazy.map { $0.effect(at: cut) }.first { $0 != .ignores } ?? .ignores
    }
  }
}

extension PatternScanner {
  fileprivate func effect(at cut: TextCuts) -> CutEffect {
    switch pattern {
    // All of them take a letter's word up to the space, and begin the next with it; a line feed
    // ends a match, and the character after it begins another.
    case .published: .separates
    case .run(let run): run.effect(at: cut)
    }
  }
}

extension RunPattern {
  fileprivate func effect(at cut: TextCuts) -> CutEffect {
    // At neither cut is there white space at the end of a piece or line that the cut could make.
    if isAtEnd { return cut == .beforeSpace ? .ignores : .crosses }
    let classes = ScalarClasses.shared
    func holds(_ byte: UInt8) -> Bool {
      members.contains(UInt32(byte), classes: classes(UInt32(byte)))
    }
    if cut == .afterLine {
      if lead == .none, lengths == 1...1, holds(UInt8(ascii: "\n")) { return .separates }
      return lead == .whiteSpace || holds(UInt8(ascii: "\n")) ? .crosses : .ignores
    }
    if holds(UInt8(ascii: " ")) { return .crosses }
    let letters = Array(UInt8(ascii: "a")...UInt8(ascii: "z"))
    let holdsLetters =
      lengths.upperBound == .max && letters.allSatisfy { holds($0) && holds($0 & 0xDF) }
    return holdsLetters ? .separates : .ignores
  }
}
