private let attentionOperator = Operator("scaled_dot_product_attention")

/// Which positions a query may attend to.
public enum AttentionMask {
  /// All positions.
  case none
  /// Positions up to its own: query i sees keys 0 to i. Queries and keys start at the same
  /// position.
  case causal
  /// Positions where a Boolean tensor is true, or all, with a floating-point tensor added to the
  /// scores; shape `[batch, heads, queries, keys]`, broadcast. A row without visible keys gives
  /// zeros.
  case custom(Tensor)
  /// Queries are the last of the keys' positions; each sees keys up to its own position, at most
  /// the last `window` of them, its own included.
  case latest(window: Int?)
}

extension Tensor {
  /// Scaled dot-product attention: softmax(Q · Kᵀ · scale + mask) · V.
  ///
  /// - Parameters:
  ///   - query: Q, shape `[batch, heads, queries, width]`.
  ///   - key: K, shape `[batch, keyHeads, keys, width]`; `keyHeads` divides `heads`, and each key
  ///     head serves `heads / keyHeads` neighbouring query heads (grouped-query attention).
  ///   - value: V, shape `[batch, keyHeads, keys, valueWidth]`.
  ///   - mask: Which keys each query sees.
  ///   - scale: Factor applied to the scores; 1 / √width if omitted.
  /// - Returns: Shape `[batch, heads, queries, valueWidth]`.
  /// - SeeAlso: Vaswani et al. 2017, *Attention Is All You Need*, §3.2.1,
  ///   [arXiv:1706.03762](https://arxiv.org/abs/1706.03762).
  public static func attention(
    query: Tensor, key: Tensor, value: Tensor, mask: AttentionMask = .none, scale: Double? = nil
  ) -> Tensor {
    var bias: Tensor?
    var isCausal = false
    switch mask {
    case .none:
      if let result = attentionKernel(query, key, value, seesAll: true, scale: scale) {
        return result
      }
    case .causal: isCausal = true
    case .custom(let tensor): bias = tensor
    case .latest(let window):
      require(
        window ?? 1 >= 1, "attention in a window of \(window ?? 0); a query sees at least itself")
      if let result = attentionKernel(query, key, value, window: window, scale: scale) {
        return result
      }
      switch plain(window: window, queries: query.size(2), keys: key.size(2), on: query.device) {
      case .none: break
      case .visible(let tensor): bias = tensor
      case .causal: isCausal = true
      }
    }
    let isGrouped = query.size(1) != key.size(1)
    return attentionOperator(query, key, value, bias, 0.0, isCausal, scale, isGrouped)
  }

  private enum PlainMask {
    case none, causal
    case visible(Tensor)
  }

  /// ``AttentionMask/latest(window:)`` in terms of libtorch's arguments.
  private static func plain(window: Int?, queries: Int, keys: Int, on device: Device) -> PlainMask {
    let isLimited = window.map { keys > $0 } ?? false
    if !isLimited { if queries == keys { return .causal } else if queries == 1 { return .none } }
    let rows = Tensor.range(keys - queries..<keys).expandingAxis(1)
    let columns = Tensor.range(0..<keys).expandingAxis(0)
    var visible = columns .<= rows
    if let window { visible = visible .& (columns .> (rows - window)) }
    return .visible(visible.reshaped([1, 1, queries, keys]).moved(to: device))
  }
}
