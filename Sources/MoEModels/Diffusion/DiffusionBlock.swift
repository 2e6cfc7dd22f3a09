import MoETensor

/// A block of a diffusion transformer, conditioned on time and label (adaLN-Zero).
///
///     shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = modulation(SiLU(condition))
///     x = x + gate_a · attention(norm(x) · (1 + scale_a) + shift_a)
///     x = x + gate_m · network(norm(x) · (1 + scale_m) + shift_m)
///
/// - SeeAlso: Peebles and Xie 2022, *Scalable Diffusion Models with Transformers*, §3.2,
///   [arXiv:2212.09748](https://arxiv.org/abs/2212.09748).
struct DiffusionBlock {
  enum Network {
    case dense(FeedForward)
    case sparse(DiffusionExperts)
  }

  /// The block's index in the model, from 0.
  let place: Int
  let attention: DiffusionAttention
  let network: Network
  /// `[6 · width, width]`.
  let modulation: Linear

  /// Applies the block.
  ///
  /// - Parameters:
  ///   - x: Shape `[batch, tokens, width]`.
  ///   - condition: After the activation function, shape `[batch, width]`.
  ///   - labels: One per image.
  ///   - pass: What the pass is for.
  /// - Returns: Shape of `x`, and what the experts did if the block is sparse.
  func callAsFunction(
    _ x: Tensor, condition: Tensor, labels: DiffusionLabels, pass: DiffusionPass
  ) -> (hidden: Tensor, routed: DiffusionExperts.Output?) {
    // Six of shape [batch, 1, width].
    let parts = modulation(condition).expandingAxis(1).split(count: 6, axis: 2)
    let attended = x.adding(
      attention(x.normalized(shift: parts[0], scale: parts[1], epsilon: Self.epsilon)),
      gate: parts[2])
    let input = attended.normalized(shift: parts[3], scale: parts[4], epsilon: Self.epsilon)
    switch network {
    case .dense(let dense): return (attended.adding(dense(input), gate: parts[5]), nil)
    case .sparse(let experts):
      let output = experts(input, labels: labels, pass: pass)
      return (attended.adding(output.hidden, gate: parts[5]), output)
    }
  }

  /// Keeps constant rows finite.
  static let epsilon = 1e-6
}
