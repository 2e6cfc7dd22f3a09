import MoECore

/// A token that is found in the text itself, before anything else happens to it.
struct AddedToken: Sendable {
  let content: String
  let id: Int
  /// Omitted from decoded text on request.
  let isSpecial: Bool
  /// Matched only if no word character is adjacent.
  let isSingleWord: Bool
  /// Includes the white space before it.
  let stripsLeft: Bool
  /// Includes the white space after it.
  let stripsRight: Bool
  /// Matched in the normalized text instead of the original text.
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
  /// The decoded text of tokens that are matched in normalized text, by id.
  private let normalizedText: [Int: String]
  private var table = TokenTable()
  /// Finds tokens in the original text.
  let raw: TokenMatcher
  /// Finds tokens in the normalized text.
  let normalized: TokenMatcher

  /// Collects tokens that agree with the vocabulary.
  ///
  /// - Throws: ``TokenizerError/Reason`` if a token occurs twice, has another id in the vocabulary,
  ///   or has another token's id.
  init(
    _ tokens: [AddedToken], _ vocabulary: Vocabulary, normalizer: Normalizer?
  ) throws(TokenizerError.Reason) {
    // The reference library ignores empty tokens.
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

  /// The decoded text of a token; like the reference library, the normalized text if that was
  /// matched.
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
