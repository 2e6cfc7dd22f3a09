import MoECore
import MoETensor

/// Grouped-query self-attention with rotary positions.
public struct Attention {
  /// Normalization of queries and keys before they are rotated.
  public enum QueryKeyNorm {
    /// None.
    case none
    /// Over all heads at once, width `heads · headSize` (OLMoE).
    case whole(query: Normalization, key: Normalization)
    /// Over each head, width `headSize` (Qwen3).
    case perHead(query: Normalization, key: Normalization)
  }

  /// `[heads · headSize, hidden]`.
  public let query: Linear
  /// `[keyHeads · headSize, hidden]`.
  public let key: Linear
  /// `[keyHeads · headSize, hidden]`.
  public let value: Linear
  /// `[hidden, heads · headSize]`.
  public let output: Linear
  /// Normalization of queries and keys.
  public let norm: QueryKeyNorm
  /// Query heads.
  public let heads: Int
  /// Key and value heads; divides `heads`.
  public let keyHeads: Int
  /// Width of a head.
  public let headSize: Int
  /// Largest magnitude of queries, keys and values, if limited.
  public let clip: Double?
  /// Positions that a query sees, itself included, if limited.
  public let window: Int?

  /// Applies attention.
  ///
  /// - Parameters:
  ///   - x: Shape `[batch, positions, hidden]`.
  ///   - context: Angles and sequences; keys and values are added to the caches of these.
  ///   - layer: This layer's index in the caches.
  /// - Returns: Shape `[batch, positions, hidden]`.
  func callAsFunction(_ x: Tensor, in context: LayerContext, layer: Int) -> Tensor {
    let (batch, positions) = (x.size(0), x.size(1))
    let arithmetic = context.arithmetic
    var (q, k, v) = projections(of: x, as: arithmetic)
    if case .whole(let queryNorm, let keyNorm) = norm { (q, k) = (queryNorm(q), keyNorm(k)) }
    if let clip {
      (q, k) = (q.clamped(min: -clip, max: clip), k.clamped(min: -clip, max: clip))
      v = v.clamped(min: -clip, max: clip)
    }
    q = q.reshaped([batch, positions, heads, headSize])
    k = k.reshaped([batch, positions, keyHeads, headSize])
    v = v.reshaped([batch, positions, keyHeads, headSize])
    if case .perHead(let queryNorm, let keyNorm) = norm { (q, k) = (queryNorm(q), keyNorm(k)) }
    (q, k) = (context.angles.rotate(q), context.angles.rotate(k))
    let answer =
      context.sequences.isEmpty
      ? Tensor.attention(
        query: q.transposed(1, 2), key: k.transposed(1, 2), value: v.transposed(1, 2),
        mask: .latest(window: window)
      ).transposed(1, 2)
      : attend(q[0], k[0], v[0], context.sequences, layer)
    return output(answer.reshaped([batch, positions, heads * headSize]), as: arithmetic)
  }

  /// Queries, keys and values; packed weights that meet few rows are read in one step.
  private func projections(
    of x: Tensor, as arithmetic: Arithmetic?
  ) -> (query: Tensor, key: Tensor, value: Tensor) {
    let all = [query, key, value]
    let packed = all.compactMap { linear in
      (linear.weight as? PackedWeight).map { (weight: $0, bias: linear.bias?.value) }
    }
    guard arithmetic == .decode, packed.count == all.count, x.count > 0,
      packed.allSatisfy({ $0.weight.order == nil }),
      !Tensor.recordsGradients([x] + packed.compactMap(\.bias))
    else { return (query(x, as: arithmetic), key(x, as: arithmetic), value(x, as: arithmetic)) }
    let found = PackedWeight.decoded(x, packed)
    return (found[0], found[1], found[2])
  }

  /// Each sequence attends to its own positions, earlier and new ones: `[rows, heads, headSize]`.
  private func attend(
    _ q: Tensor, _ k: Tensor, _ v: Tensor, _ sequences: [CachedRows], _ layer: Int
  ) -> Tensor {
    let parts = sequences.map { sequence in
      let all = sequence.cache.append(key: k, value: v, sequence.rows, layer: layer)
      return AttentionSequence(rows: sequence.rows, keys: all.keys, values: all.values)
    }
    return Tensor.attention(query: q, over: parts, window: window)
  }
}
