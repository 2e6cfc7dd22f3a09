package import MoECore

/// The tokenizer inside a GGUF file, as the text of a `tokenizer.json`.
///
/// Byte-level BPE (`gpt2`) is written unchanged; SentencePiece's scores (`llama`) are converted to
/// ranked merges as in the transformers library: every pair of tokens that forms a token is a
/// merge, best score first.
package struct GGUFTokenizer {
  private let file: GGUFFile
  private let tokens: [String]
  private let types: [TokenType]
  private static let prefix = "tokenizer.ggml."

  /// The type of a token, with the format's raw values.
  private enum TokenType: Int {
    case normal = 1
    case unknown, control, userDefined, unused, byte

    /// Whether it is matched in the text before any other processing.
    var isAdded: Bool { self == .unknown || self == .control || self == .userDefined }
  }

  /// Reads the tokens.
  ///
  /// - Throws: `GGUFError` if the metadata is incomplete or has unsupported values.
  package init(_ file: GGUFFile) throws(GGUFError) {
    self.file = file
    tokens = try file.list(Self.prefix + "tokens").texts()
    guard 1...Vocabulary.highestID ~= tokens.count else {
      throw file.invalid(Self.prefix + "tokens", "a list of 1 to \(Vocabulary.highestID) tokens")
    }
    let key = Self.prefix + "token_type"
    let numbers = try file.optionalList(key)?.integers() ?? tokens.map { _ in 1 }
    let types = numbers.compactMap(TokenType.init)
    guard numbers.count == tokens.count, types.count == tokens.count else {
      throw file.invalid(key, "a list of \(tokens.count) numbers from 1 to 6, one per token")
    }
    self.types = types
  }

  /// Whether a file holds a tokenizer.
  package static func exists(in file: GGUFFile) -> Bool {
    switch file.metadata[prefix + "model"] {
    case nil, .text("none"), .text("no_vocab"): false
    default: true
    }
  }

  /// The contents of a `tokenizer.json`.
  package func json() throws(GGUFError) -> String {
    let key = Self.prefix + "model"
    switch try file.optionalText(key) {
    case "gpt2": return try bytePair()
    case "llama": return try sentencePiece()
    default: throw file.invalid(key, "'gpt2' or 'llama', the tokenizers that are read from GGUF")
    }
  }

  // MARK: Byte-level BPE

  /// The rule that cuts texts; files without a name have the one of the name `default`.
  private func cutting() throws(GGUFError) -> GGUFCutting {
    let key = Self.prefix + "pre"
    if let rule = GGUFCutting(named: try file.optionalText(key) ?? "default") { return rule }
    let names = GGUFCutting.allCases.flatMap(\.names).joined(separator: ", ")
    throw file.invalid(key, "one of \(names), the rules that are known")
  }

  private func bytePair() throws(GGUFError) -> String {
    let merges = try file.list(Self.prefix + "merges").texts()
    let rule = try cutting()
    return try document(
      normalizer: rule.normalizer, preTokenizer: rule.preTokenizer,
      decoder: GGUFCutting.byteLevel(splits: true),
      model: """
        "unk_token": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": \(rule == .llama3),
        """,
      merges: merges.map(\.jsonQuoted), addsBegin: rule == .llama3)
  }

  // MARK: Sentencepiece

  private func sentencePiece() throws(GGUFError) -> String {
    let addsSpace = try file.optionalTruth(Self.prefix + "add_space_prefix") ?? true
    let replace = #"{"type": "Replace", "pattern": {"String": " "}, "content": "▁"}"#
    let prepend = #"{"type": "Prepend", "prepend": "▁"}"#
    let steps = (addsSpace ? [prepend] : []) + [replace]
    let strip = #", {"type": "Strip", "content": " ", "start": 1, "stop": 0}"#
    let unknown = types.firstIndex(of: .unknown).map { tokens[$0].jsonQuoted } ?? "null"
    return try document(
      normalizer: #"{"type": "Sequence", "normalizers": [\#(steps.joined(separator: ", "))]}"#,
      preTokenizer: "null",
      decoder: """
        {"type": "Sequence", "decoders": [{"type": "Replace", "pattern": {"String": "▁"}, "content": " "}, \
        {"type": "ByteFallback"}, {"type": "Fuse"}\(addsSpace ? strip : "")]}
        """,
      model: """
        "unk_token": \(unknown), "fuse_unk": true, "byte_fallback": true, "ignore_merges": false,
        """,
      merges: try scoredMerges().map { "[\($0.jsonQuoted), \($1.jsonQuoted)]" }, addsBegin: true)
  }

  /// A merge and its sort keys.
  private struct ScoredMerge {
    var left: String
    var right: String
    var score: Float
    var lengths: (Int, Int)
    var ids: (Int, Int)

    /// Whether `a` precedes `b`: better scores first, then longer parts, then lower ids.
    static func precedes(_ a: ScoredMerge, _ b: ScoredMerge) -> Bool {
      if a.score != b.score { return a.score > b.score }
      if a.lengths != b.lengths { return a.lengths > b.lengths }
      return a.ids < b.ids
    }
  }

  private func scoredMerges() throws(GGUFError) -> [(String, String)] {
    let key = Self.prefix + "scores"
    let scores = try file.list(key).floats()
    guard scores.count == tokens.count, scores.allSatisfy({ !$0.isNaN }) else {
      throw file.invalid(key, "a list of \(tokens.count) numbers, one per token")
    }
    var ids: [[UInt8]: Int] = [:]
    for (id, token) in tokens.enumerated() { ids[Array(token.utf8)] = id }
    var merges: [ScoredMerge] = []
    for (id, token) in tokens.enumerated() where types[id] == .normal {
      let bytes = Array(token.utf8)
      guard bytes.count <= TokenMatcher.longestToken else {
        throw file.invalid(
          Self.prefix + "tokens", "tokens of at most \(TokenMatcher.longestToken) bytes")
      }
      for cut in bytes.indices.dropFirst() where bytes[cut] & 0xC0 != 0x80 {
        let parts = (Array(bytes[..<cut]), Array(bytes[cut...]))
        guard let left = ids[parts.0], let right = ids[parts.1] else { continue }
        merges.append(
          ScoredMerge(
            left: tokens[left], right: tokens[right], score: scores[id],
            lengths: (tokens[left].unicodeScalars.count, tokens[right].unicodeScalars.count),
            ids: (left, right)))
      }
    }
    return merges.sorted(by: ScoredMerge.precedes).map { ($0.left, $0.right) }
  }

  // MARK: The document

  private func document(
    normalizer: String, preTokenizer: String, decoder: String, model: String, merges: [String],
    addsBegin: Bool
  ) throws(GGUFError) -> String {
    let vocabulary = tokens.enumerated().map { "      \($1.jsonQuoted): \($0)" }
    return """
      {
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [\(addedTokens)],
        "normalizer": \(normalizer),
        "pre_tokenizer": \(preTokenizer),
        "post_processor": \(try template(addsBegin: addsBegin)),
        "decoder": \(decoder),
        "model": {
          "type": "BPE",
          "dropout": null,
          "continuing_subword_prefix": null,
          "end_of_word_suffix": null,
          \(model)
          "vocab": {
      \(vocabulary.joined(separator: ",\n"))
          },
          "merges": [
      \(merges.map { "      " + $0 }.joined(separator: ",\n"))
          ]
        }
      }

      """
  }

  private var addedTokens: String {
    zip(tokens, types).enumerated().filter { $0.element.1.isAdded }.map { id, entry in
      """

          {"id": \(id), "content": \(entry.0.jsonQuoted), "single_word": false, "lstrip": false, \
      "rstrip": false, "normalized": false, "special": \(entry.1 != .userDefined)}
      """
    }.joined(separator: ",")
  }

  /// The tokens before and after every text.
  private func template(addsBegin: Bool) throws(GGUFError) -> String {
    let begin = try marker("bos", isAdded: addsBegin)
    let end = try marker("eos", isAdded: false)
    let markers = Set([begin, end].compactMap { $0 }).sorted()
    guard !markers.isEmpty else { return "null" }
    func entry(_ id: Int) -> String {
      #"{"SpecialToken": {"id": \#(tokens[id].jsonQuoted), "type_id": 0}}"#
    }
    func single(_ sequence: String) -> [String] {
      (begin.map { [entry($0)] } ?? []) + [#"{"Sequence": {"id": "\#(sequence)", "type_id": 0}}"#]
        + (end.map { [entry($0)] } ?? [])
    }
    let specials = markers.map {
      let name = tokens[$0].jsonQuoted
      return "\(name): {\"id\": \(name), \"ids\": [\($0)], \"tokens\": [\(name)]}"
    }
    return """
      {"type": "TemplateProcessing", "single": [\(single("A").joined(separator: ", "))], \
      "pair": [\((single("A") + single("B")).joined(separator: ", "))], \
      "special_tokens": {\(specials.joined(separator: ", "))}}
      """
  }

  /// The id of a token that is added to every text, or `nil` if it is not added.
  private func marker(_ name: String, isAdded: Bool) throws(GGUFError) -> Int? {
    guard try file.optionalTruth("\(Self.prefix)add_\(name)_token") ?? isAdded else { return nil }
    return try file.integer("\(Self.prefix)\(name)_token_id", in: 0...tokens.count - 1)
  }
}
