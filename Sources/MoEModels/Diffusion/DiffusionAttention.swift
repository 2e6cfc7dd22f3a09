import MoETensor

/// Self-attention between the patches of an image; every patch attends to every other.
struct DiffusionAttention {
  /// `[3 · width, width]`: queries, keys and values.
  let joint: Linear
  /// `[width, width]`.
  let output: Linear
  /// Normalization of each head's queries and keys, if any.
  let norms: (query: Normalization, key: Normalization)?
  let heads: Int

  /// Applies attention: `[batch, tokens, width] → [batch, tokens, width]`.
  func callAsFunction(_ x: Tensor) -> Tensor {
    let (batch, tokens, width) = (x.size(0), x.size(1), x.size(2))
    let all = joint(x).reshaped([batch, tokens, 3, heads, width / heads]).permuted([2, 0, 3, 1, 4])
    var (query, key) = (all[0], all[1])  // [batch, heads, tokens, width / heads]
    if let norms { (query, key) = (norms.query(query), norms.key(key)) }
    let answer = Tensor.attention(query: query, key: key, value: all[2])
    return output(answer.transposed(1, 2).reshaped([batch, tokens, width]))
  }
}
