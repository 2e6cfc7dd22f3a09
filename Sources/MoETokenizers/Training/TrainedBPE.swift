import MoECore
public import SystemPackage

/// A byte-level BPE vocabulary learned by ``BPETrainer``.
public struct TrainedBPE: Sendable {
  /// The special tokens; their ids are their indices here.
  public let specialTokens: [String]
  /// How text is split into words.
  public let pattern: SplitPattern
  /// The bytes of each token, by id.
  public internal(set) var tokens: [[UInt8]]
  /// The pairs of ids that are merged, in order.
  public private(set) var merges: [Pair] = []
  private var known = PairTable()

  /// Two tokens that are merged.
  public struct Pair: Hashable, Sendable {
    /// Id of the first token.
    public let left: Int
    /// Id of the second token.
    public let right: Int
  }

  /// Starts with special tokens and bytes.
  init(specialTokens: [String], pattern: SplitPattern) {
    self.specialTokens = specialTokens
    self.pattern = pattern
    tokens = specialTokens.map { Array($0.utf8) } + ByteAlphabet.bytesByCharacter.map { [$0] }
  }

  /// Adds a merge, unless it exists.
  mutating func append(_ left: Int32, _ right: Int32) {
    let key = PairTable.key(UInt32(bitPattern: left), UInt32(bitPattern: right))
    guard known[key] == nil else { return }
    known[key] = 1
    merges.append(Pair(left: Int(left), right: Int(right)))
  }

  /// Writes the vocabulary as a `tokenizer.json`, atomically.
  ///
  /// - Throws: `FileError`.
  public func write(to path: FilePath) throws {
    try AtomicFile.write(json, to: path)
  }

  /// A tokenizer with this vocabulary.
  ///
  /// - Throws: ``TokenizerError`` if a special token is spelled like a learned one.
  public func tokenizer() throws(TokenizerError) -> Tokenizer {
    do {
      return try Tokenizer(json: Array(json.utf8))
    } catch {
      throw TokenizerError(reason: error)
    }
  }
}

extension TrainedBPE {
  /// The contents of a `tokenizer.json`.
  var json: String {
    """
    {
      "version": "1.0",
      "truncation": null,
      "padding": null,
      "added_tokens": [\(addedTokens)],
      "normalizer": null,
      "pre_tokenizer": \(preTokenizer),
      "post_processor": \(byteLevel(splits: true)),
      "decoder": \(byteLevel(splits: true)),
      "model": {
        "type": "BPE",
        "dropout": null,
        "unk_token": null,
        "continuing_subword_prefix": null,
        "end_of_word_suffix": null,
        "fuse_unk": false,
        "byte_fallback": false,
        "ignore_merges": false,
        "vocab": {
    \(vocabularyLines)
        },
        "merges": [
    \(mergeLines)
        ]
      }
    }

    """
  }

  private func spelling(_ id: Int) -> String {
    id < specialTokens.count ? specialTokens[id] : ByteAlphabet.token(of: tokens[id])
  }

  private var addedTokens: String {
    specialTokens.enumerated().map { id, token in
      """

          {"id": \(id), "content": \(token.jsonQuoted), "single_word": false, "lstrip": false, \
      "rstrip": false, "normalized": false, "special": true}
      """
    }.joined(separator: ",")
  }

  private var preTokenizer: String {
    guard pattern != .gpt2 else { return byteLevel(splits: true) }
    return """
      {"type": "Sequence", "pretokenizers": [{"type": "Split", "pattern": {"Regex": \
      \(pattern.rawValue.jsonQuoted)}, "behavior": "Isolated", "invert": false}, \
      \(byteLevel(splits: false))]}
      """
  }

  private func byteLevel(splits: Bool) -> String {
    #"{"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": \#(splits)}"#
  }

  private var vocabularyLines: String {
    tokens.indices.map { "      \(spelling($0).jsonQuoted): \($0)" }.joined(separator: ",\n")
  }

  private var mergeLines: String {
    merges.map {
      "      [\(spelling($0.left).jsonQuoted), \(spelling($0.right).jsonQuoted)]"
    }.joined(separator: ",\n")
  }
}
