public import MoECore
public import SystemPackage

/// Learns a byte-level BPE vocabulary from text.
///
/// Ids are assigned in this order: the special tokens as listed; the 256 bytes, in the order of
/// their characters in GPT-2's alphabet; then one token per merge. Merges are learned in descending
/// order of pair frequency; of equally frequent pairs, the one with the lower left id goes first,
/// then the one with the lower right id. The result depends only on the text and the settings.
///
/// - SeeAlso: Sennrich et al. 2016, *Neural Machine Translation of Rare Words with Subword Units*,
///   [arXiv:1508.07909](https://arxiv.org/abs/1508.07909).
public struct BPETrainer: Sendable {
  /// The desired number of tokens: special tokens, 256 bytes and merges.
  public let vocabularySize: Int
  /// Tokens at which the text is split, and that are never merged.
  public let specialTokens: [String]
  /// How the text is split into words; merges never cross word boundaries.
  public let pattern: SplitPattern
  /// Rarer pairs are not merged.
  public let minimumFrequency: Int

  /// Configures the trainer.
  ///
  /// - Parameters:
  ///   - vocabularySize: The desired number of tokens.
  ///   - specialTokens: For example `<|endoftext|>`; distinct and not empty.
  ///   - pattern: ``SplitPattern/gpt2``, ``SplitPattern/llama3`` or ``SplitPattern/qwen2``.
  ///   - minimumFrequency: How often a pair must occur to be merged; at least 1.
  /// - Throws: ``TokenizerError/Reason/invalidSetting(name:found:expected:)``.
  public init(
    vocabularySize: Int, specialTokens: [String] = [], pattern: SplitPattern = .gpt2,
    minimumFrequency: Int = 2
  ) throws(TokenizerError) {
    let smallest = 256 + specialTokens.count
    guard smallest...Vocabulary.highestID ~= vocabularySize else {
      throw Self.invalid(
        "vocabularySize", "\(vocabularySize)", "in \(smallest)…\(Vocabulary.highestID)")
    }
    guard Set(specialTokens.map { Array($0.utf8) }).count == specialTokens.count else {
      throw Self.invalid("specialTokens", "a list with duplicates", "a list of different tokens")
    }
    for token in specialTokens where !Self.canBeSpecial(token) {
      throw Self.invalid(
        "specialTokens", "a list with '\(token.prefix(40))'",
        "tokens of 2 to \(TokenMatcher.longestToken) bytes that no learned token is spelled like")
    }
    guard [.gpt2, .llama3, .qwen2].contains(pattern) else {
      throw Self.invalid("pattern", "\(pattern)", "gpt2, llama3 or qwen2")
    }
    guard minimumFrequency >= 1 else {
      throw Self.invalid("minimumFrequency", "\(minimumFrequency)", "at least 1")
    }
    self.vocabularySize = vocabularySize
    self.specialTokens = specialTokens
    self.pattern = pattern
    self.minimumFrequency = minimumFrequency
  }

  /// Whether no other bytes are spelled like this token in the byte alphabet.
  private static func canBeSpecial(_ token: String) -> Bool {
    let bytes = Array(token.utf8)
    return 2...TokenMatcher.longestToken ~= bytes.count
      && ByteAlphabet.bytes(of: token) ?? bytes == bytes
  }

  private static func invalid(
    _ name: String, _ found: String, _ expected: String
  ) -> TokenizerError {
    TokenizerError(reason: .invalidSetting(name: name, found: found, expected: expected))
  }

  /// Learns from a text file, which stays on disk; memory holds each distinct word once.
  ///
  /// Bytes that are not valid UTF-8 are treated like any others; a byte-order mark is skipped.
  ///
  /// - Returns: The vocabulary; smaller than ``vocabularySize`` if the text has too few frequent
  ///   pairs.
  /// - Throws: `FileError` when the file cannot be read.
  /// - Complexity: O(bytes) for counting words; the cost of a merge is proportional to the words
  ///   that it changes.
  public func train(
    on file: FilePath, progress: ProgressHandler? = nil
  ) throws(FileError) -> TrainedBPE {
    let text = try MappedFile(file)
    let words = text.withBytes { bytes in
      unsafe bytes.withUnsafeBytes {
        let all = unsafe $0.bindMemory(to: UInt8.self)
        let mark = unsafe all.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0
        return unsafe count(all.span.extracting(mark...), progress)
      }
    }
    return learn(from: words, progress)
  }

  /// Learns from a text in memory.
  ///
  /// - Returns: The vocabulary; smaller than ``vocabularySize`` if the text has too few frequent
  ///   pairs.
  public func train(on text: String, progress: ProgressHandler? = nil) -> TrainedBPE {
    let bytes = Array(text.utf8)
    return learn(from: count(bytes.span, progress), progress)
  }

  private func count(_ text: Span<UInt8>, _ progress: ProgressHandler?) -> WordCounter {
    var words = WordCounter()
    let specials = TokenMatcher(
      specialTokens.map { (Array($0.utf8), AddedToken(content: $0, id: 0, isSpecial: true)) })
    words.count(text, PatternScanner(pattern: pattern), without: specials) {
      progress?(Progress("counting words", completed: $0, total: text.count))
    }
    progress?(Progress("counting words", completed: text.count, total: text.count))
    return words
  }

  private func learn(from words: WordCounter, _ progress: ProgressHandler?) -> TrainedBPE {
    let idOfByte = idsOfBytes
    var learner = MergeLearner(
      words: (0..<words.count).map { words.word($0).map { idOfByte[Int($0)] } },
      counts: words.counts)
    var result = TrainedBPE(specialTokens: specialTokens, pattern: pattern)
    // Different pairs may form the same token.
    var known = TokenTable(capacity: vocabularySize)
    for (id, token) in result.tokens.enumerated() { _ = known.insert(token, id: Int32(id)) }
    while result.tokens.count < vocabularySize,
      let (left, right) = learner.next(minimum: minimumFrequency)
    {
      let token = result.tokens[Int(left)] + result.tokens[Int(right)]
      let older = known.insert(token, id: Int32(result.tokens.count))
      let id = older ?? Int32(result.tokens.count)
      if older == nil { result.tokens.append(token) }
      result.append(left, right)
      learner.merge(left, right, into: id)
      if result.merges.count.isMultiple(of: 256) {
        progress?(
          Progress("learning merges", completed: result.tokens.count, total: vocabularySize))
      }
    }
    progress?(Progress("learning merges", completed: vocabularySize, total: vocabularySize))
    return result
  }

  private var idsOfBytes: [Int32] {
    var ids = [Int32](repeating: 0, count: 256)
    for (place, byte) in ByteAlphabet.bytesByCharacter.enumerated() {
      ids[Int(byte)] = Int32(specialTokens.count + place)
    }
    return ids
  }
}
