import MoECore

/// The special tokens around an encoded text.
struct PostProcessor: Sendable {
  /// Ids before the text, for example a begin-of-sequence token.
  private(set) var prefix: [Int] = []
  /// Ids after the text.
  private(set) var suffix: [Int] = []

  /// Adds nothing.
  init() {}

  /// Reads the `post_processor` of a tokenizer file.
  init(_ fields: JSONFields) throws(TokenizerError.Reason) {
    let type = try fields.type()
    switch type {
    case "ByteLevel": break  // It only changes offsets, which are not stored.
    case "BertProcessing", "RobertaProcessing":
      prefix = [try Self.pair(fields, "cls")]
      suffix = [try Self.pair(fields, "sep")]
    case "TemplateProcessing": try readTemplate(fields)
    case "Sequence":
      for step in try fields.list("processors") {
        let outer = try PostProcessor(step)
        prefix = outer.prefix + prefix
        suffix += outer.suffix
      }
    default: throw fields.unsupported("the post-processor \(type)")
    }
  }

  /// Checks that every id is that of a token.
  func check(_ isToken: (Int) -> Bool) throws(TokenizerError.Reason) {
    for id in prefix + suffix where !isToken(id) {
      throw .unknownToken(key: "post_processor", token: "of id \(id)")
    }
  }

  /// The id in a pair such as `["[CLS]", 101]`.
  private static func pair(
    _ fields: JSONFields, _ name: String
  ) throws(TokenizerError.Reason) -> Int {
    guard case .array(let pair) = try fields.required(name), pair.count == 2 else {
      throw .wrongType(key: fields.key(name), expected: "a token and its id")
    }
    _ = try JSONFields.string(pair[0], at: fields.key(name))
    return try JSONFields.integer(pair[1], in: 0...Vocabulary.highestID, at: fields.key(name))
  }

  private mutating func readTemplate(_ fields: JSONFields) throws(TokenizerError.Reason) {
    let tokens = try Self.templateTokens(fields)
    var texts = 0
    for entry in try fields.list("single") {
      if try entry.optionalFields("Sequence") != nil {
        texts += 1
        continue
      }
      let name = try entry.fields("SpecialToken").string("id")
      guard let ids = tokens[Array(name.utf8)] else {
        throw .unknownToken(key: entry.key("SpecialToken.id"), token: name)
      }
      if texts == 0 { prefix += ids } else { suffix += ids }
    }
    guard texts == 1 else {
      throw fields.unsupported("a template that contains the text \(texts) times")
    }
  }

  private static func templateTokens(
    _ fields: JSONFields
  ) throws(TokenizerError.Reason) -> [[UInt8]: [Int]] {
    var tokens: [[UInt8]: [Int]] = [:]
    guard let table = try fields.optionalFields("special_tokens") else { return tokens }
    try table.each { (name, value) throws(TokenizerError.Reason) in
      let entry = try JSONFields(value, at: table.key(name))
      guard case .array(let values) = try entry.required("ids") else {
        throw .wrongType(key: entry.key("ids"), expected: "a list")
      }
      var ids: [Int] = []
      for value in values {
        ids.append(
          try JSONFields.integer(value, in: 0...Vocabulary.highestID, at: entry.key("ids")))
      }
      tokens[Array(name.utf8)] = ids
    }
    return tokens
  }
}
