public import MoECore
import MoERouting
public import MoETensor

/// More tokens of a sequence whose earlier positions are cached.
public struct SequencePart {
  /// At least one, in the model's vocabulary.
  public var tokens: [Int]
  /// Keys and values of the positions before these.
  public var cache: KeyValueCache

  /// Describes tokens to be read.
  public init(tokens: [Int], cache: KeyValueCache) { (self.tokens, self.cache) = (tokens, cache) }
}

/// The rows of a pass whose next tokens are scored; the others are spared the head's work.
public enum ScoredRows: Hashable, Sendable {
  /// All rows.
  case all
  /// The last row of each sequence.
  case last
  /// Some rows, counted over all sequences of the pass, in the order of the answer; none where only caches are wanted.
  case some([Int])
}

extension MoEDecoder {
  /// An empty cache for a new sequence.
  public func makeCache() -> KeyValueCache { KeyValueCache(layers: layers.count) }

  /// Reads more tokens of several sequences in one pass, without gradients.
  ///
  /// The parts may have different lengths; nothing is padded. On the CPU, in f32 and bf16, a sequence's bits depend
  /// neither on the others nor on how its tokens are divided into parts, only on the arithmetic of each position:
  /// `Documentation/decisions/0014-company.md`.
  ///
  /// - Parameters:
  ///   - parts: At least one, each with a cache of its own, to which it is added.
  ///   - arithmetic: How sums are ordered: the same for a position whatever it is read with.
  ///   - scored: Which rows of the tokens of all parts are scored.
  ///   - random: The random numbers of random routers.
  ///   - chosen: Experts that tokens use instead of their own choice, by layer; see `RoutingContext.chosen`.
  ///   - observer: Notified which experts the tokens chose, if given.
  /// - Returns: The logits, `[scored rows, vocabulary]`, and what the sparse layers did.
  public func read(
    _ parts: [SequencePart], as arithmetic: Arithmetic, scoring scored: ScoredRows = .last,
    random: RandomSource? = nil, chosen: [Int: [Int]] = [:],
    observer: (any RoutingObserver)? = nil
  ) -> Output {
    precondition(
      !parts.isEmpty && parts.allSatisfy { !$0.tokens.isEmpty }, "a sequence without tokens")
    precondition(
      Set(parts.map { ObjectIdentifier($0.cache) }).count == parts.count,
      "a cache that is used twice")
    let lengths = parts.map(\.tokens.count)
    let device = embedding.device
    let ids = parts.flatMap(\.tokens)
    let tokens = Tensor(ids, shape: [1, ids.count]).moved(to: device)
    let positions = parts.map { $0.cache.count..<$0.cache.count + $0.tokens.count }
    let sequences = zip(PackedRows.starts(of: lengths), parts).map { start, part in
      CachedRows(rows: start..<start + part.tokens.count, cache: part.cache)
    }
    let context = LayerContext(
      angles: rotary.angles(positions, on: device),
      routing: RoutingContext(sequenceLengths: lengths, random: random), arithmetic: arithmetic,
      sequences: sequences, chosen: chosen)
    var output = withoutGradients { run(tokens, in: context, scored) { $0($1, in: $2) } }
    output.logits = output.logits[0]
    for part in parts { part.cache.complete(part.tokens.count, as: arithmetic) }
    if let observer { report(output.sparse, of: tokens, lengths: lengths, to: observer) }
    return output
  }
}
