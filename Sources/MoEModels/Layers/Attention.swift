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

  /// Applies attention to new positions.
  ///
  /// - Parameters:
  ///   - x: Shape `[batch, positions, hidden]`.
  ///   - angles: Of these positions.
  ///   - cache: Keys and values of earlier positions, to which these are added.
  ///   - layer: This layer's index in the cache.
  /// - Returns: Shape `[batch, positions, hidden]`.
  func callAsFunction(
    _ x: Tensor, angles: RotaryEmbedding.Angles, cache: KeyValueCache?, layer: Int
  ) -> Tensor {
    let (batch, positions) = (x.size(0), x.size(1))
    var (q, k, v) = (query(x), key(x), value(x))
    if case .whole(let queryNorm, let keyNorm) = norm { (q, k) = (queryNorm(q), keyNorm(k)) }
    if let clip {
      (q, k) = (q.clamped(min: -clip, max: clip), k.clamped(min: -clip, max: clip))
      v = v.clamped(min: -clip, max: clip)
    }
    q = q.reshaped([batch, positions, heads, headSize])
    k = k.reshaped([batch, positions, keyHeads, headSize])
    v = v.reshaped([batch, positions, keyHeads, headSize]).transposed(1, 2)
    if case .perHead(let queryNorm, let keyNorm) = norm { (q, k) = (queryNorm(q), keyNorm(k)) }
    q = angles.rotate(q).transposed(1, 2)
    k = angles.rotate(k).transposed(1, 2)
    if let cache { (k, v) = cache.append(key: k, value: v, layer: layer) }
    let answer = Tensor.attention(query: q, key: k, value: v, mask: .latest(window: window))
    return output(answer.transposed(1, 2).reshaped([batch, positions, heads * headSize]))
  }
}
