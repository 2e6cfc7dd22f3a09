import MoECore

/// A change to the text before it is cut: code points, letter case, accents, marks for spaces.
indirect enum Normalizer: Sendable {
  /// One of Unicode's normalization forms.
  case unicode(UnicodeForm)
  /// Lowercases every character independently of its neighbours.
  case lowercase
  /// Removes combining marks.
  case stripAccents
  /// Prepends a text to every non-empty text.
  case prepend([UInt8])
  /// Replaces every occurrence of a text.
  case replace([UInt8], by: [UInt8])
  /// BERT's text cleaning.
  case bert(BertNormalizer)
  /// Several normalizers, one after another.
  case sequence([Normalizer])

  /// Normalizes `text`, which must be valid UTF-8.
  ///
  /// - Complexity: At worst O(n log n) in the number of bytes.
  func apply(to text: inout [UInt8]) {
    switch self {
    case .unicode(let form): form.apply(to: &text)
    case .lowercase: text.mapScalars { $0.properties.lowercaseMapping.utf8 }
    case .stripAccents:
      let classes = ScalarClasses.shared
      text.removeScalars { classes($0.value) & ScalarClasses.Class.mark != 0 }
    case .prepend(let prefix): if !text.isEmpty { text.insert(contentsOf: prefix, at: 0) }
    case .replace(let pattern, let content): text.replace(pattern, by: content)
    case .bert(let bert): bert.apply(to: &text)
    case .sequence(let steps): for step in steps { step.apply(to: &text) }
    }
  }

  /// Reads the `normalizer` of a tokenizer file.
  init(_ fields: JSONFields) throws(TokenizerError.Reason) {
    let type = try fields.type()
    switch type {
    case "NFC", "NFD", "NFKC", "NFKD":
      self = .unicode(UnicodeForm(composes: type.last == "C", isCompatible: type.contains("K")))
    case "Lowercase": self = .lowercase
    case "StripAccents": self = .stripAccents
    case "Prepend": self = .prepend(try Self.short(fields, "prepend"))
    case "Replace":
      self = .replace(try Self.pattern(of: fields), by: try Self.short(fields, "content"))
    case "BertNormalizer": self = .bert(try BertNormalizer(fields))
    case "Sequence":
      var steps: [Normalizer] = []
      for step in try fields.list("normalizers") { steps.append(try Normalizer(step)) }
      self = .sequence(steps)
      guard growth <= Self.largestGrowth else {
        throw fields.unsupported("replacements that make a text \(growth) times as long")
      }
    default: throw fields.unsupported("the normalizer \(type)")
    }
  }

  /// The longest pattern or replacement that a file may specify, in bytes.
  private static let longestText = 1_024
  /// The largest factor by which replacements may lengthen a text; the factors of steps multiply.
  static let largestGrowth = 4_096

  /// The largest factor by which this normalizer lengthens a text.
  private var growth: Int {
    switch self {
    case .replace(let pattern, let content): Self.growth(pattern, content)
    case .sequence(let steps):
      steps.reduce(1) { min($0 * $1.growth, Self.largestGrowth + 1) }
    default: 1
    }
  }

  /// The largest factor by which a replacement lengthens a text.
  static func growth(_ pattern: [UInt8], _ content: [UInt8]) -> Int {
    max(1, (content.count + pattern.count - 1) / pattern.count)
  }

  /// The literal pattern of a `Replace`.
  static func pattern(of fields: JSONFields) throws(TokenizerError.Reason) -> [UInt8] {
    let pattern = try fields.fields("pattern")
    guard pattern.value("String") != nil else {
      throw fields.unsupported("Replace of something other than a String")
    }
    let text = try short(pattern, "String")
    guard !text.isEmpty else {
      throw .invalidValue(key: pattern.key("String"), found: "empty", expected: "a text")
    }
    return text
  }

  /// A text of bounded length, so that no file can make encoding arbitrarily slow.
  static func short(
    _ fields: JSONFields, _ name: String
  ) throws(TokenizerError.Reason) -> [UInt8] {
    let text = Array(try fields.string(name).utf8)
    guard text.count <= longestText else {
      throw .invalidValue(
        key: fields.key(name), found: "\(text.count) bytes long",
        expected: "at most \(longestText)")
    }
    return text
  }
}

extension [UInt8] {
  /// Replaces each character of the text.
  mutating func mapScalars(_ body: (Unicode.Scalar) -> String.UTF8View) {
    var output: [UInt8] = []
    output.reserveCapacity(count)
    forEachScalar(in: 0..<count) { scalar, _ in output.append(contentsOf: body(scalar)) }
    self = output
  }

  /// Removes characters of the text.
  mutating func removeScalars(where isRemoved: (Unicode.Scalar) -> Bool) {
    var output: [UInt8] = []
    output.reserveCapacity(count)
    forEachScalar(in: 0..<count) { scalar, range in
      if !isRemoved(scalar) { output.append(contentsOf: self[range]) }
    }
    self = output
  }

  /// Replaces every occurrence of `pattern`, from left to right without overlaps.
  ///
  /// - Precondition: `pattern` is not empty.
  mutating func replace(_ pattern: [UInt8], by content: [UInt8]) {
    var output: [UInt8] = []
    output.reserveCapacity(count)
    var position = 0
    while position < count {
      if self[position] == pattern[0], span.holds(pattern, at: position, limit: count) {
        output.append(contentsOf: content)
        position += pattern.count
      } else {
        output.append(self[position])
        position += 1
      }
    }
    self = output
  }
}
