import MoECore

/// A token that is found in the text itself, before anything else happens to it.
struct AddedToken: Sendable {
  let content: String
  let id: Int
  /// Left out of decoded text on request.
  let isSpecial: Bool
  /// Found only where no word character touches it.
  let isSingleWord: Bool
  /// Takes the white space before it along.
  let stripsLeft: Bool
  /// Takes the white space after it along.
  let stripsRight: Bool
  /// Looked for in the normalized text instead of the text as given.
  let isNormalized: Bool

  init(content: String, id: Int, isSpecial: Bool) {
    self.content = content
    self.id = id
    self.isSpecial = isSpecial
    (isSingleWord, stripsLeft, stripsRight, isNormalized) = (false, false, false, false)
  }

  /// Reads an entry of `added_tokens`.
  init(_ fields: JSONFields) throws(TokenizerError.Reason) {
    content = try fields.string("content")
    id = try fields.integer("id", in: 0...Vocabulary.highestID)
    isSpecial = try fields.optionalBoolean("special") ?? false
    isSingleWord = try fields.optionalBoolean("single_word") ?? false
    stripsLeft = try fields.optionalBoolean("lstrip") ?? false
    stripsRight = try fields.optionalBoolean("rstrip") ?? false
    isNormalized = try fields.optionalBoolean("normalized") ?? !isSpecial
    guard content.utf8.count <= TokenMatcher.longestToken else {
      throw .invalidValue(
        key: fields.key("content"), found: "\(content.utf8.count) bytes long",
        expected: "at most \(TokenMatcher.longestToken)")
    }
  }
}

/// The added tokens of a tokenizer.
struct AddedTokens: Sendable {
  /// Tokens by id.
  private(set) var byID: [Int: AddedToken] = [:]
  /// What tokens that are looked for in normalized text decode to, by id.
  private let normalizedText: [Int: String]
  private var table = TokenTable()
  /// Finds tokens in the text as given.
  let raw: TokenMatcher
  /// Finds tokens in the normalized text.
  let normalized: TokenMatcher

  /// Takes tokens that agree with the vocabulary.
  ///
  /// - Throws: ``TokenizerError/Reason`` when a token stands twice, has another id in the vocabulary, or
  ///   has an id of another token.
  init(
    _ tokens: [AddedToken], _ vocabulary: Vocabulary, normalizer: Normalizer?
  ) throws(TokenizerError.Reason) {
    // The reference library adds no empty tokens.
    let found = tokens.filter { !$0.content.isEmpty }
    raw = TokenMatcher(found.filter { !$0.isNormalized }.map { (Array($0.content.utf8), $0) })
    let changed = found.filter(\.isNormalized).map { token in
      var content = Array(token.content.utf8)
      normalizer?.apply(to: &content)
      return (text: content, token: token)
    }
    normalized = TokenMatcher(changed)
    normalizedText = Dictionary(
      changed.map { ($0.token.id, String(decoding: $0.text, as: UTF8.self)) },
      uniquingKeysWith: { $1 })
    for (index, token) in tokens.enumerated() {
      try insert(token, vocabulary, at: "added_tokens[\(index)]")
    }
  }

  private mutating func insert(
    _ token: AddedToken, _ vocabulary: Vocabulary, at key: String
  ) throws(TokenizerError.Reason) {
    guard table.insert(Array(token.content.utf8), id: Int32(token.id)) == nil else {
      throw .duplicateKey(key: "\(key).content")
    }
    guard byID.updateValue(token, forKey: token.id) == nil else {
      throw .duplicateID(key: "\(key).id", id: token.id)
    }
    if let known = vocabulary.id(of: token.content) {
      guard known == token.id else {
        throw .invalidValue(
          key: "\(key).id", found: "\(token.id)",
          expected: "\(known), as for '\(token.content)' in the vocabulary")
      }
    } else if token.id < vocabulary.tokens.count, vocabulary.tokens[token.id] != nil {
      throw .duplicateID(key: "\(key).id", id: token.id)
    }
  }

  /// What a token decodes to; the reference library, too, gives the normalized text where it looked for that.
  func text(_ id: Int) -> String? { normalizedText[id] ?? byID[id]?.content }

  /// The id of a token, compared byte by byte.
  func id(of token: String) -> Int? { table.id(Array(token.utf8)).map { Int($0) } }

  /// Reads the `added_tokens` of a tokenizer file.
  static func read(_ fields: JSONFields) throws(TokenizerError.Reason) -> [AddedToken] {
    guard fields.value("added_tokens") != nil else { return [] }
    var tokens: [AddedToken] = []
    for entry in try fields.list("added_tokens") { tokens.append(try AddedToken(entry)) }
    return tokens
  }
}
