/// The character classes that tokenizers need, as a lookup table.
///
/// The data come from the Swift standard library and its Unicode version; the reference library may
/// classify characters from later Unicode versions differently.
struct ScalarClasses: Sendable {
  /// One bit per class; a character may be in several.
  enum Class {
    /// General categories L…, N…, P…, S… and M….
    static let letter: UInt8 = 1
    static let number: UInt8 = 2
    static let punctuation: UInt8 = 16
    static let symbol: UInt8 = 32
    static let mark: UInt8 = 64
    /// The White_Space property.
    static let space: UInt8 = 4
    /// Carriage return and line feed, which are also white space.
    static let newline: UInt8 = 8
  }

  /// The classes of the code points below U+10000.
  private let table: [UInt8]

  /// The shared table; building it takes milliseconds, once per process.
  static let shared = ScalarClasses()

  private init() {
    table = (0..<0x10000).map { Self.classify($0) }
  }

  /// The classes of a code point.
  ///
  /// - Complexity: O(1).
  @inline(__always)
  func callAsFunction(_ value: UInt32) -> UInt8 {
    value < 0x10000 ? table[Int(value)] : Self.classify(value)
  }

  private static func classify(_ value: UInt32) -> UInt8 {
    guard let scalar = Unicode.Scalar(value) else { return 0 }
    var result = category(scalar.properties.generalCategory)
    if scalar.properties.isWhitespace { result |= Class.space }
    if value == 10 || value == 13 { result |= Class.newline }
    return result
  }

  private static func category(_ category: Unicode.GeneralCategory) -> UInt8 {
    switch category {
    case .uppercaseLetter, .lowercaseLetter, .titlecaseLetter, .modifierLetter, .otherLetter:
      Class.letter
    case .decimalNumber, .letterNumber, .otherNumber: Class.number
    case .connectorPunctuation, .dashPunctuation, .openPunctuation, .closePunctuation,
      .initialPunctuation, .finalPunctuation, .otherPunctuation:
      Class.punctuation
    case .mathSymbol, .currencySymbol, .modifierSymbol, .otherSymbol: Class.symbol
    case .nonspacingMark, .spacingMark, .enclosingMark: Class.mark
    default: 0
    }
  }
}

extension Unicode.Scalar {
  /// Whether a regular expression's `\w` matches.
  var isWordCharacter: Bool {
    switch properties.generalCategory {
    case .nonspacingMark, .spacingMark, .enclosingMark, .decimalNumber, .connectorPunctuation: true
    default: properties.isAlphabetic || properties.isJoinControl
    }
  }
}
