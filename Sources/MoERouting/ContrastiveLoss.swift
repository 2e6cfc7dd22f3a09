import MoECore
public import MoETensor

/// The routing contrastive loss, which pulls each prototype towards the tokens that chose it and
/// pushes it away from other experts' tokens.
///
///     m_i  = mean of the tokens assigned to expert i                             with gradient
///     loss = −mean over active i of log [ exp(cos(p_i, m_i) / τ) / Σ_j exp(cos(p_i, m_j) / τ) ]
///
/// Experts without tokens are inactive: they appear neither as i nor as j.
///
/// - SeeAlso: *Routing Matters in MoE: Scaling Diffusion Transformers with Explicit Routing
///   Guidance*, §3.3, equation 6, [arXiv:2510.24711](https://arxiv.org/abs/2510.24711).
extension RoutingLosses {
  /// The loss of a given assignment; every assignment counts, regardless of its weight.
  ///
  /// - Parameters:
  ///   - tokens: Shape `[tokens, width]`.
  ///   - prototypes: Shape `[experts, width]`.
  ///   - assigned: The tokens of each expert.
  ///   - temperature: τ, above 0.
  /// - Returns: Shape `[]`; the constant 0 if fewer than two experts are active.
  public static func contrastive(
    tokens: Tensor, prototypes: Tensor, assigned: [[Int]], temperature: Double
  ) -> Tensor {
    require(
      assigned.count == prototypes.size(0),
      "tokens of \(assigned.count) experts for \(prototypes.size(0)) prototypes")
    let active = assigned.indices.filter { !assigned[$0].isEmpty }
    guard active.count >= 2 else { return Tensor(0 as Float).moved(to: tokens.device) }
    let count = tokens.size(0)
    // A matrix product with each token's weight in its expert's mean; its gradient is a matrix
    // product too.
    var shares = [Float](repeating: 0, count: active.count * count)
    for (row, expert) in active.enumerated() {
      let share = 1 / Float(assigned[expert].count)
      for token in assigned[expert] { shares[row * count + token] += share }
    }
    let means = Tensor(shares, shape: [active.count, count]).moved(to: tokens.device)
      .matmul(tokens.cast(to: .f32))  // [active, width]
    let own =
      active.count == assigned.count
      ? prototypes : prototypes.selecting(Tensor(active).moved(to: prototypes.device))
    return contrastive(
      means: means.expandingAxis(0), prototypes: own, temperature: temperature)
  }

  /// The loss of several groups of tokens, computed within each group.
  ///
  /// - Parameters:
  ///   - means: The mean token of each expert in each group, shape `[groups, experts, width]`.
  ///   - prototypes: Shape `[experts, width]`.
  ///   - temperature: τ, above 0.
  /// - Returns: The mean over groups and experts, shape `[]`; the constant 0 without groups or for
  ///   one expert.
  public static func contrastive(
    means: Tensor, prototypes: Tensor, temperature: Double
  ) -> Tensor {
    let (groups, experts) = (means.size(0), means.size(1))
    guard experts >= 2, groups > 0 else { return Tensor(0 as Float).moved(to: means.device) }
    // Prototypes are rows, means are columns.
    let cosines = Prototypes.normalized(prototypes)
      .matmul(Prototypes.normalized(means).transposed())  // [groups, experts, experts]
    let targets = (0..<groups * experts).map { $0 % experts }
    return (cosines / temperature).reshaped([groups * experts, experts])
      .crossEntropy(targets: Tensor(targets).moved(to: means.device))
  }
}
