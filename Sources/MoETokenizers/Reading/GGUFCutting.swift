import MoECore

/// The rules by which llama.cpp cuts a text before byte-level BPE, by their names in GGUF files.
///
/// - SeeAlso: [llama-vocab.cpp](https://github.com/ggml-org/llama.cpp/blob/master/src/llama-vocab.cpp).
enum GGUFCutting: CaseIterable {
  /// Punctuation first, then GPT-2's pattern, then groups of three digits.
  case unnamed
  /// GPT-2's pattern.
  case gpt2
  /// Single digits, then GPT-2's pattern.
  case digits
  /// Llama 3's pattern; a piece that is a token is not merged.
  case llama3
  /// Llama 3's pattern.
  case llama3Merged
  /// Qwen 2's pattern.
  case qwen2
  /// The three generations of DeepSeek's patterns.
  case deepSeekLLM, deepSeekCoder, deepSeekV3

  /// The names in files.
  var names: [String] {
    switch self {
    case .unnamed: ["default"]
    case .gpt2: ["gpt-2", "gpt2", "olmo", "phi-2", "mpt"]
    case .digits: ["smollm", "starcoder", "refact", "command-r", "codeshell"]
    case .llama3: ["llama-bpe", "llama3", "llama-v3"]
    case .llama3Merged: ["dbrx", "smaug-bpe"]
    case .qwen2: ["qwen2", "deepseek-r1-qwen"]
    case .deepSeekLLM: ["deepseek-llm"]
    case .deepSeekCoder: ["deepseek-coder"]
    case .deepSeekV3: ["deepseek-v3"]
    }
  }

  /// The rule of a name; `nil` for an unknown one.
  init?(named name: String) {
    guard let rule = Self.allCases.first(where: { $0.names.contains(name) }) else { return nil }
    self = rule
  }

  /// The normalizer of a `tokenizer.json`.
  ///
  /// Qwen's own files have one, which llama.cpp leaves out.
  var normalizer: String { self == .qwen2 ? #"{"type": "NFC"}"# : "null" }

  /// The pre-tokenizer of a `tokenizer.json`.
  var preTokenizer: String {
    switch self {
    case .unnamed:
      Self.sequence(
        [
          #"[\p{P}\$\+<=>\^~\|]+"#, SplitPattern.gpt2.rawValue, #"\p{N}+"#, "[0-9]{3}",
        ].map(Self.split))
    case .gpt2: Self.byteLevel(splits: true)
    case .digits: Self.sequence([Self.singleDigits], splits: true)
    case .llama3, .llama3Merged: Self.sequence([Self.split(SplitPattern.llama3.rawValue)])
    case .qwen2: Self.sequence([Self.split(SplitPattern.qwen2.rawValue)])
    case .deepSeekLLM:
      Self.sequence(
        [
          #"[\r\n]"#, "\\s?[\(Self.casedLetters)]+", "\\s?[\(Self.signs)]+", #"\s+$"#, Self.chinese,
          #"\p{N}+"#,
        ].map(Self.split))
    case .deepSeekCoder:
      Self.sequence(
        [#"[\r\n]"#, #"\s?\p{L}+"#, #"\s?\p{P}+"#, Self.chinese].map(Self.split) + [
          Self.singleDigits
        ])
    case .deepSeekV3:
      Self.sequence(
        [#"\p{N}{1,3}"#, "[一-龥぀-ゟ゠-ヿ]+", SplitPattern.deepSeek.rawValue].map(Self.split))
    }
  }

  // MARK: Steps

  /// The last step of all rules, with GPT-2's pattern or without.
  static func byteLevel(splits: Bool) -> String {
    #"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": \#(splits)}"#
  }

  private static let singleDigits = #"{"type": "Digits", "individual_digits": true}"#

  private static func split(_ expression: String) -> String {
    """
    {"type": "Split", "pattern": {"Regex": \(expression.jsonQuoted)}, "behavior": "Isolated", \
    "invert": false}
    """
  }

  private static func sequence(_ steps: [String], splits: Bool = false) -> String {
    let all = (steps + [byteLevel(splits: splits)]).joined(separator: ", ")
    return #"{"type": "Sequence", "pretokenizers": [\#(all)]}"#
  }

  private static let chinese = "[一-龥ࠀ-一가-\u{D7FF}]+"
  private static let signs = "!-/:-~！-／：-～‘-‟\u{3000}-。"

  /// The letters that have an upper and a lower case, in DeepSeek's version of Unicode.
  ///
  /// They are written as numbers, because some of them equal others in normalized texts.
  private static let casedLetters: String = {
    let ranges: [ClosedRange<UInt32>] = [
      0x41...0x5A, 0x61...0x7A, 0xB5...0xB5, 0xC0...0xD6, 0xD8...0xF6, 0xF8...0x1BA, 0x1BC...0x1BF,
      0x1C4...0x293, 0x295...0x2AF, 0x370...0x373, 0x376...0x377, 0x37B...0x37D, 0x37F...0x37F,
      0x386...0x386, 0x388...0x38A, 0x38C...0x38C, 0x38E...0x3A1, 0x3A3...0x3F5, 0x3F7...0x481,
      0x48A...0x52F, 0x531...0x556, 0x10A0...0x10C5, 0x13A0...0x13F5, 0x13F8...0x13FD,
      0x1C90...0x1CBA, 0x1CBD...0x1CBF, 0x1D00...0x1D2B, 0x1D6B...0x1D77, 0x1D79...0x1D9A,
      0x1E00...0x1F15, 0x1F18...0x1F1D, 0x1F20...0x1F45, 0x1F48...0x1F4D, 0x1F50...0x1F57,
      0x1F59...0x1F59, 0x1F5B...0x1F5B, 0x1F5D...0x1F5D, 0x1F5F...0x1F7D, 0x1F80...0x1FB4,
      0x1FB6...0x1FBC, 0x1FBE...0x1FBE, 0x1FC2...0x1FC4, 0x1FC6...0x1FCC, 0x1FD0...0x1FD3,
      0x1FD6...0x1FDB, 0x1FE0...0x1FEC, 0x1FF2...0x1FF4, 0x1FF6...0x1FFC, 0x2102...0x2102,
      0x2107...0x2107, 0x210A...0x2113, 0x2115...0x2115, 0x2119...0x211D, 0x2124...0x2124,
      0x2126...0x2126, 0x2128...0x2128, 0x212A...0x212D, 0x212F...0x2134, 0x2139...0x2139,
      0x213C...0x213F, 0x2145...0x2149, 0x214E...0x214E, 0x2183...0x2184, 0x2C00...0x2C7B,
      0x2C7E...0x2CE4, 0x2CEB...0x2CEE, 0x2CF2...0x2CF3, 0xA640...0xA66D, 0xA680...0xA69B,
      0xA722...0xA76F, 0xA771...0xA787, 0xA78B...0xA78E, 0xAB70...0xABBF, 0xFB00...0xFB06,
      0xFB13...0xFB17, 0xFF21...0xFF3A, 0xFF41...0xFF5A, 0x10400...0x1044F, 0x104B0...0x104D3,
      0x104D8...0x104FB, 0x10C80...0x10CB2, 0x10CC0...0x10CF2, 0x118A0...0x118DF,
      0x1E900...0x1E943,
    ]
    var result = String.UnicodeScalarView()
    for range in ranges {
      let ends = [range.lowerBound, range.upperBound].compactMap(Unicode.Scalar.init)
      result.append(contentsOf: ends.prefix(1) + ["-"] + ends.suffix(1))
    }
    return String(result)
  }()
}
