import MoECore

extension PreTokenizer {
  /// Reads the `pre_tokenizer` of a tokenizer file.
  init(_ fields: JSONFields) throws(TokenizerError.Reason) {
    let type = try fields.type()
    switch type {
    case "ByteLevel":
      let splits = try fields.optionalBoolean("use_regex") ?? true
      self = .byteLevel(
        addsPrefixSpace: try fields.optionalBoolean("add_prefix_space") ?? true,
        pattern: splits ? PatternScanner(pattern: .gpt2) : nil)
    case "Split": self = try Self.split(fields)
    case "Digits":
      self = .digits(individually: try fields.optionalBoolean("individual_digits") ?? false)
    case "Metaspace": self = .metaspace(try Metaspace(fields))
    case "BertPreTokenizer": self = .bert
    case "WhitespaceSplit": self = .whitespaceSplit
    case "Sequence": self = try Self.sequence(fields)
    default: throw fields.unsupported("the pre-tokenizer \(type)")
    }
  }

  private static func split(_ fields: JSONFields) throws(TokenizerError.Reason) -> PreTokenizer {
    let pattern = try fields.fields("pattern")
    guard let expression = try pattern.optionalString("Regex") else {
      throw fields.unsupported("the pre-tokenizer Split by something other than a Regex")
    }
    guard let scanner = PatternScanner(expression: expression) else {
      throw .unknownPattern(key: pattern.key("Regex"), pattern: expression)
    }
    let behavior = try fields.string("behavior")
    let inverted = try fields.optionalBoolean("invert") ?? false
    switch (behavior, inverted) {
    case ("Isolated", _): return .split(scanner, keepsRest: true)
    // Inverted: the text between the matches is removed.
    case ("Removed", true): return .split(scanner, keepsRest: false)
    default:
      throw fields.unsupported(
        "the pre-tokenizer Split with behavior '\(behavior)'\(inverted ? " inverted" : "")")
    }
  }

  private static func sequence(_ fields: JSONFields) throws(TokenizerError.Reason) -> PreTokenizer {
    var steps: [PreTokenizer] = []
    for step in try fields.list("pretokenizers") {
      // Later steps would operate on the byte alphabet, which is used only in files here.
      if steps.contains(where: \.isByteLevel) {
        throw step.unsupported("a pre-tokenizer after ByteLevel")
      }
      steps.append(try PreTokenizer(step))
    }
    return .sequence(steps)
  }
}
