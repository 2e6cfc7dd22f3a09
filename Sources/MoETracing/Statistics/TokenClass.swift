import Foundation

/// What kind of text a token stands for.
public enum TokenClass: String, Hashable, Codable, Sendable, CaseIterable {
  /// A frequent English word with little meaning: the, of, and.
  case functionWord = "function word"
  /// The beginning of any other word, or a whole word.
  case wordStart = "word start"
  /// A later part of a word.
  case continuation
  /// Digits.
  case number
  /// Punctuation: full stops, brackets, operators.
  case punctuation
  /// Spaces, tabs and line ends.
  case whiteSpace = "white space"
  /// Special tokens that are not text, such as the end of text.
  case special
  /// Parts of characters, and anything else.
  case other

  /// Classifies the text of a token.
  ///
  /// - Parameters:
  ///   - text: The text, with a leading space if the token begins a word after a space.
  ///   - startsWord: Whether letters without a leading space begin a word here, as on a new line.
  public init(text: String, startsWord: Bool = false) {
    let scalars = text.unicodeScalars
    let body = scalars.filter { !$0.properties.isWhitespace }
    guard !body.isEmpty else {
      self = scalars.isEmpty ? .other : .whiteSpace
      return
    }
    if Self.isWord(body) {
      let word = String(String.UnicodeScalarView(body)).lowercased()
      let starts = startsWord || scalars.first?.properties.isWhitespace ?? false
      self =
        !starts ? .continuation : Self.functionWords.contains(word) ? .functionWord : .wordStart
    } else if body.allSatisfy({ $0.properties.numericType != nil }) {
      self = .number
    } else {
      let isMixed = body.contains { $0.properties.isAlphabetic || $0 == "\u{FFFD}" }
      self = isMixed ? .other : .punctuation
    }
  }

  /// Whether this is letters, possibly with apostrophes or hyphens inside.
  private static func isWord(_ body: String.UnicodeScalarView) -> Bool {
    body.contains(where: \.properties.isAlphabetic)
      && body.allSatisfy {
        $0.properties.isAlphabetic || $0 == "'" || $0 == "’" || $0 == "-"
          || $0.properties.generalCategory == .nonspacingMark
      }
  }

  /// The most frequent English function words.
  static let functionWords: Set<String> = [
    "a", "about", "after", "all", "also", "am", "an", "and", "any", "are", "as", "at", "be",
    "because", "been", "before", "being", "between", "both", "but", "by", "can", "could", "did",
    "do", "does", "down", "each", "for", "from", "had", "has", "have", "he", "her", "him", "his",
    "how", "i", "if", "in", "into", "is", "it", "its", "may", "me", "might", "more", "most", "must",
    "my", "no", "nor", "not", "of", "off", "on", "or", "other", "our", "out", "over", "shall",
    "she", "should", "so", "some", "such", "than", "that", "the", "their", "them", "then", "there",
    "these", "they", "this", "those", "through", "thy", "to", "under", "until", "up", "upon", "us",
    "was", "we", "were", "what", "when", "where", "which", "while", "who", "whom", "will", "with",
    "would", "ye", "you", "your",
  ]
}

/// The class of every token of a vocabulary.
public struct TokenClasses: Sendable {
  /// The classes inside a word, and where one could begin.
  private let classes: [(inside: TokenClass, atStart: TokenClass)?]

  /// Classifies a vocabulary.
  ///
  /// - Parameters:
  ///   - texts: The text of each id as it appears after other text, so with a leading space if it
  ///     begins a word; `nil` for unused ids.
  ///   - specials: The ids of special tokens.
  public init(_ texts: [String?], specials: Set<Int> = []) {
    classes = texts.enumerated().map { id, text in
      if specials.contains(id) { return (.special, .special) }
      return text.map { (TokenClass(text: $0), TokenClass(text: $0, startsWord: true)) }
    }
  }

  /// The class of a token after another one.
  ///
  /// - Parameters:
  ///   - id: The token's id.
  ///   - previous: The class of the token before it; `nil` at the start of a text.
  /// - Returns: The class; `nil` for ids outside the vocabulary.
  public func kind(_ id: Int32, after previous: TokenClass?) -> TokenClass? {
    guard classes.indices.contains(Int(id)), let kinds = classes[Int(id)] else { return nil }
    return switch previous {
    case .wordStart, .functionWord, .continuation, .number, .other: kinds.inside
    case nil, .whiteSpace, .punctuation, .special: kinds.atStart
    }
  }
}
