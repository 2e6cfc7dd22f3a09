/// Byte-pair encoding: a word starts as characters or bytes; neighbours are merged by a ranked
/// list.
///
/// - SeeAlso: Sennrich et al. 2016, *Neural Machine Translation of Rare Words with Subword Units*,
///   [arXiv:1508.07909](https://arxiv.org/abs/1508.07909).
struct BytePairEncoding: Sendable {
  private static let absent: Int32 = -1

  let vocabulary: Vocabulary
  let merges: MergeTable
  let settings: Settings
  /// The initial symbols of a word.
  private let start: Start

  /// The settings of the model.
  struct Settings: Sendable {
    /// The token for unknown characters; `nil` omits them.
    var unknown: Int32?
    /// Whether adjacent unknown characters become one token.
    var fusesUnknown = false
    /// Whether characters outside the vocabulary are encoded as byte tokens.
    var fallsBackToBytes = false
    /// Whether a word that is itself a token is used directly, without merges.
    var ignoresMerges = false
  }

  private enum Start: Sendable {
    /// Bytes: the id of each byte, and whole tokens by their bytes.
    case bytes(ids: [Int32], words: TokenTable)
    /// Characters: the ids of the tokens `<0x00>`…`<0xFF>`, and which characters may merge.
    case characters(byteIDs: [Int32], joints: CharacterJoints)
  }

  /// Creates the model; `isByteLevel` means that tokens are spelled in GPT-2's byte alphabet.
  init(vocabulary: Vocabulary, merges: MergeTable, settings: Settings, isByteLevel: Bool) {
    self.vocabulary = vocabulary
    self.merges = merges
    self.settings = settings
    if isByteLevel {
      var words = TokenTable(capacity: vocabulary.count)
      for (id, token) in vocabulary.tokens.enumerated() {
        guard let token, let bytes = ByteAlphabet.bytes(of: token) else { continue }
        _ = words.insert(bytes, id: Int32(id))
      }
      let ids = (0...255).map { words.id([UInt8($0)]) ?? Self.absent }
      start = .bytes(ids: ids, words: words)
    } else {
      let ids = (0...255).map { vocabulary.id(of: Self.byteToken($0)) ?? Self.absent }
      start = .characters(byteIDs: ids, joints: CharacterJoints(vocabulary))
    }
  }

  /// Whether tokens are spelled in GPT-2's byte alphabet.
  var isByteLevel: Bool {
    if case .bytes = start { true } else { false }
  }

  /// The token for a byte of a character outside the vocabulary.
  static func byteToken(_ byte: Int) -> String {
    let digits = String(byte, radix: 16, uppercase: true)
    return "<0x\(digits.count == 1 ? "0" : "")\(digits)>"
  }

  /// Appends the ids of one piece of text.
  ///
  /// - Complexity: O(n log n); O(n) if the words are cached.
  func encode(
    _ text: Span<UInt8>, _ range: Range<Int>, _ scratch: inout EncodingScratch,
    into output: inout [Int]
  ) {
    switch start {
    case .bytes(let ids, let words):
      encodeWord(text, range, &scratch, &output) { scratch in
        if settings.ignoresMerges, let id = words.id(text, range) {
          scratch.symbols.append(id)
          return false
        }
        bytes(text, range, ids, &scratch.symbols)
        return true
      }
    case .characters(let byteIDs, let joints):
      if settings.ignoresMerges, let id = vocabulary.id(text, range) {
        return output.append(Int(id))
      }
      joints.forEachPart(text, range, vocabulary) { part in
        encodeWord(text, part, &scratch, &output) { scratch in
          characters(text, part, byteIDs, &scratch.symbols)
          return true
        }
      }
    }
  }

  /// Takes a word from the cache, or encodes it: `begin` writes its initial symbols and returns
  /// whether they are to be merged.
  @inline(__always)
  private func encodeWord(
    _ text: Span<UInt8>, _ range: Range<Int>, _ scratch: inout EncodingScratch,
    _ output: inout [Int], _ begin: (inout EncodingScratch) -> Bool
  ) {
    let isShort = range.count <= WordCache.longestWord
    let hash = isShort ? hashBytes(text, range) : 0
    if isShort, scratch.cache.append(text, range, hash: hash, to: &output) { return }
    scratch.symbols.removeAll(keepingCapacity: true)
    if begin(&scratch) { scratch.merger.merge(&scratch.symbols, with: merges) }
    for symbol in scratch.symbols { output.append(Int(symbol)) }
    if isShort { scratch.cache.insert(text, range, hash: hash, scratch.symbols) }
  }

  private func bytes(
    _ text: Span<UInt8>, _ range: Range<Int>, _ ids: [Int32], _ symbols: inout [Int32]
  ) {
    var unknown = UnknownRun(settings)
    for index in range {
      let id = ids[Int(text[index])]
      if id != Self.absent {
        unknown.end(&symbols)
        symbols.append(id)
      } else {
        unknown.extend(&symbols)
      }
    }
    unknown.end(&symbols)
  }

  private func characters(
    _ text: Span<UInt8>, _ range: Range<Int>, _ byteIDs: [Int32], _ symbols: inout [Int32]
  ) {
    var unknown = UnknownRun(settings)
    var position = range.lowerBound
    while position < range.upperBound {
      let length = text.scalar(at: position, limit: range.upperBound).length
      let character = position..<position + length
      position += length
      if let id = vocabulary.id(text, character) {
        unknown.end(&symbols)
        symbols.append(id)
      } else if settings.fallsBackToBytes,
        character.allSatisfy({ byteIDs[Int(text[$0])] != Self.absent })
      {
        for index in character { symbols.append(byteIDs[Int(text[index])]) }
      } else {
        unknown.extend(&symbols)
      }
    }
    unknown.end(&symbols)
  }
}

/// Pending unknown characters before the next known one, as in the reference library.
private struct UnknownRun {
  private let settings: BytePairEncoding.Settings
  private var isWaiting = false

  init(_ settings: BytePairEncoding.Settings) { self.settings = settings }

  /// Adds an unknown character.
  mutating func extend(_ symbols: inout [Int32]) {
    guard let unknown = settings.unknown else { return }
    if isWaiting && !settings.fusesUnknown { symbols.append(unknown) }
    isWaiting = true
  }

  /// Writes the pending token.
  mutating func end(_ symbols: inout [Int32]) {
    if isWaiting, let unknown = settings.unknown { symbols.append(unknown) }
    isWaiting = false
  }
}
