import MoECore
public import MoETensor

/// Routing by clustering: each token goes to the nearest centroid, and centroids follow their
/// tokens.
///
/// Centroids are not weights: after every training batch each becomes the mean of its tokens. The
/// paper that uses this as a baseline gives no further details; here distances are Euclidean, and a
/// centroid without tokens is unchanged.
///
/// - SeeAlso: *Routing Matters in MoE: Scaling Diffusion Transformers with Explicit Routing
///   Guidance*, §4 and appendix, [arXiv:2510.24711](https://arxiv.org/abs/2510.24711); Lloyd 1982,
///   *Least Squares Quantization in PCM*.
public enum KMeans {
  /// The negative squared distances, shape `[tokens, centroids]`, f32, without gradient.
  ///
  /// - Parameters:
  ///   - tokens: Shape `[tokens, width]`.
  ///   - centroids: Shape `[centroids, width]`.
  /// - Returns: Scores for a ``TokenChoiceRouter`` with one expert per token, renormalized, so the
  ///   weight is 1.
  public static func scores(of tokens: Tensor, centroids: Tensor) -> Tensor {
    withoutGradients {
      let (x, c) = (tokens.detached().cast(to: .f32), centroids.cast(to: .f32))
      let products = x.matmul(c.transposed())  // [tokens, centroids]
      return products * 2 - (x * x).sum(axis: 1, keepAxes: true) - (c * c).sum(axis: 1)
    }
  }

  /// The centroids after a batch: the means of their tokens.
  ///
  /// - Parameters:
  ///   - centroids: f32, shape `[centroids, width]`.
  ///   - tokens: Shape `[tokens, width]`.
  ///   - routing: The assignment of tokens to centroids.
  /// - Returns: Shape `[centroids, width]`; a centroid without tokens is unchanged.
  public static func updated(_ centroids: Tensor, tokens: Tensor, routing: Routing) -> Tensor {
    withoutGradients {
      let dispatch = Dispatch(routing)
      let rows = dispatch.gather(tokens.detached()).cast(to: .f32)
      var start = 0
      let means = dispatch.counts.enumerated().map { place, count in
        defer { start += count }
        return count == 0 ? centroids[place] : rows[start..<start + count].mean(axis: 0)
      }
      return Tensor.stacked(means)
    }
  }

  /// Initial centroids: distinct random tokens.
  ///
  /// - Parameters:
  ///   - count: The number of centroids, at most the number of tokens.
  ///   - tokens: Shape `[tokens, width]`.
  ///   - random: The source of random numbers.
  /// - Returns: Shape `[count, width]`, f32.
  public static func start(_ count: Int, from tokens: Tensor, random: RandomSource) -> Tensor {
    withoutGradients {
      let order = random.permutation(tokens.size(0))[0..<count]
      return tokens.detached().selecting(order.moved(to: tokens.device)).cast(to: .f32)
    }
  }
}
