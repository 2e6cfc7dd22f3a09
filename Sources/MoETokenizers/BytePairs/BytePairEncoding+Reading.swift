import MoECore

extension BytePairEncoding {
  /// Reads the `model` of a tokenizer file.
  init(_ fields: JSONFields, isByteLevel: Bool) throws(TokenizerError.Reason) {
    try Self.refuseUnsupported(fields)
    let vocabulary = try Vocabulary(try fields.required("vocab"), at: fields.key("vocab"))
    let merges = try Self.merges(
      try fields.required("merges"), at: fields.key("merges"), vocabulary)
    var settings = Settings()
    if let token = try fields.optionalString("unk_token") {
      guard let id = vocabulary.id(of: token) else {
        throw .unknownToken(key: fields.key("unk_token"), token: token)
      }
      settings.unknown = id
    }
    settings.fusesUnknown = try fields.optionalBoolean("fuse_unk") ?? false
    settings.fallsBackToBytes = try fields.optionalBoolean("byte_fallback") ?? false
    let lacksBytes = (UInt8.min ... .max).contains {
      vocabulary.id(of: ByteAlphabet.token(of: [$0])) == nil
    }
    if isByteLevel, settings.fallsBackToBytes, lacksBytes {
      throw fields.unsupported("byte_fallback after ByteLevel for a vocabulary that lacks bytes")
    }
    settings.ignoresMerges = try fields.optionalBoolean("ignore_merges") ?? false
    self.init(
      vocabulary: vocabulary, merges: merges, settings: settings, isByteLevel: isByteLevel)
  }

  private static func refuseUnsupported(
    _ fields: JSONFields
  ) throws(TokenizerError.Reason) {
    switch fields.value("dropout") {
    case nil, .number(0): break
    default: throw fields.unsupported("BPE with dropout")
    }
    for setting in ["continuing_subword_prefix", "end_of_word_suffix"] {
      if let text = try fields.optionalString(setting), !text.isEmpty {
        throw fields.unsupported("BPE with \(setting) '\(text)'")
      }
    }
  }

  /// Reads merges written as `"a b"` or `["a", "b"]`.
  private static func merges(
    _ value: JSONValue, at key: String, _ vocabulary: Vocabulary
  ) throws(TokenizerError.Reason) -> MergeTable {
    guard case .array(let entries) = value else {
      throw .wrongType(key: key, expected: "a list")
    }
    var table = MergeTable(capacity: entries.count)
    for (rank, entry) in entries.enumerated() {
      switch entry {
      case .string(let line):
        try table.insert(line: line, rank: rank, vocabulary, at: "\(key)[\(rank)]")
      case .array(let parts):
        guard parts.count == 2, case .string(let left) = parts[0],
          case .string(let right) = parts[1]
        else { throw .wrongType(key: "\(key)[\(rank)]", expected: "two strings") }
        try table.insert(left, right, rank: rank, vocabulary, at: "\(key)[\(rank)]")
      default: throw .wrongType(key: "\(key)[\(rank)]", expected: "a string or two")
      }
    }
    return table
  }
}

extension MergeTable {
  /// Adds a merge that is written as two tokens separated by a space.
  mutating func insert(
    line: String, rank: Int, _ vocabulary: Vocabulary, at key: @autoclosure () -> String
  ) throws(TokenizerError.Reason) {
    let bytes = Array(line.utf8)
    let parts = bytes.split(separator: UInt8(ascii: " "), omittingEmptySubsequences: false)
    guard parts.count == 2 else {
      throw .invalidValue(
        key: key(), found: "'\(line)'", expected: "two tokens with one space between them")
    }
    try insert(
      String(decoding: parts[0], as: UTF8.self), String(decoding: parts[1], as: UTF8.self),
      rank: rank, vocabulary, at: key())
  }

  /// Adds a merge of two vocabulary tokens into a third.
  mutating func insert(
    _ left: String, _ right: String, rank: Int, _ vocabulary: Vocabulary,
    at key: @autoclosure () -> String
  ) throws(TokenizerError.Reason) {
    func id(_ token: String) throws(TokenizerError.Reason) -> Int32 {
      guard let id = vocabulary.id(of: token) else {
        throw .unknownToken(key: key(), token: token)
      }
      return id
    }
    insert(try id(left), try id(right), rank: rank, id: try id(left + right))
  }
}
