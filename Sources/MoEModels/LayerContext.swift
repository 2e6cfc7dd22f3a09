import MoERouting
import MoETensor

/// What every layer of one pass needs besides the hidden states.
struct LayerContext {
  /// The angles of the rows, or of the positions of every sequence of a batch.
  let angles: RotaryEmbedding.Angles
  /// Sequences and random numbers for routers.
  let routing: RoutingContext
  /// How sums are ordered; `nil` where nobody relies on an order.
  let arithmetic: Arithmetic?
  /// The sequences whose rows follow each other in a batch of one; none if each row of the batch is a whole sequence.
  var sequences: [CachedRows] = []
  /// Experts that tokens use instead of their own choice, by layer.
  var chosen: [Int: [Int]] = [:]
}

/// The rows of a sequence in one pass, and where its keys and values are kept.
struct CachedRows {
  let rows: Range<Int>
  let cache: KeyValueCache
}
