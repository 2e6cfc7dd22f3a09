public import MoECore
public import MoETensor

/// Auxiliary losses for balanced experts and small logits, as functions of scores, all in f32.
public enum RoutingLosses {
  /// What the fractions f in ``loadBalance(probabilities:load:denominator:)`` are relative to.
  public enum Denominator: String, Hashable, Codable, Sendable, CaseIterable {
    /// Assignments per token: fractions sum to k, and perfect balance gives k. As in the
    /// transformers library for Mixtral, OLMoE and Qwen.
    case tokens
    /// Assignments per assignment: fractions sum to 1, and perfect balance gives 1. As in the
    /// papers on top-1.
    case assignments
  }

  /// The load-balancing loss: minimal when every expert gets the same fraction of tokens and of
  /// probability.
  ///
  ///     loss = E · Σ_e f_e · P_e
  ///     f_e = assignments to expert e / (tokens, or all assignments)     no gradient
  ///     P_e = mean over tokens of p[token, e]
  ///
  /// Over several layers or micro-batches, pass the concatenated probabilities and the summed load:
  /// the loss then requires only overall balance.
  ///
  /// - Parameters:
  ///   - probabilities: p, shape `[tokens, E]`, each row summing to 1.
  ///   - load: Assignments per expert.
  ///   - denominator: What f is relative to.
  /// - Returns: Shape `[]`; 0 for no tokens.
  /// - SeeAlso: Fedus et al. 2021, *Switch Transformers*, §2.2, equations 4–6,
  ///   [arXiv:2101.03961](https://arxiv.org/abs/2101.03961); Lepikhin et al. 2020, *GShard*,
  ///   algorithm 1, [arXiv:2006.16668](https://arxiv.org/abs/2006.16668).
  public static func loadBalance(
    probabilities: Tensor, load: ExpertLoad, denominator: Denominator
  ) -> Tensor {
    let (tokens, experts) = (probabilities.size(0), probabilities.size(1))
    require(
      load.tokens.count == experts, "a load of \(load.tokens.count) experts, \(experts) columns")
    guard tokens > 0, load.total > 0 else {
      return Tensor(0 as Float).moved(to: probabilities.device)
    }
    let divisor = Float(denominator == .tokens ? tokens : load.total)
    let shares = Tensor(load.tokens.map { Float($0) / divisor }).moved(to: probabilities.device)
    let means = probabilities.cast(to: .f32).mean(axis: 0)  // [experts]
    return (shares * means).sum() * experts
  }

  /// The router z-loss, which keeps logits small: the mean of (log Σ_e exp(logit_e))².
  ///
  /// - Parameter logits: Shape `[tokens, experts]`.
  /// - Returns: Shape `[]`; 0 for no tokens.
  /// - SeeAlso: Zoph et al. 2022, *ST-MoE*, §3.2, equation 5,
  ///   [arXiv:2202.08906](https://arxiv.org/abs/2202.08906).
  public static func z(logits: Tensor) -> Tensor {
    guard logits.size(0) > 0 else { return Tensor(0 as Float).moved(to: logits.device) }
    return logits.cast(to: .f32).logSumExp(axis: 1).pow(2).mean()
  }

  /// The mean entropy of the tokens' probabilities, in nats: 0 if every choice is certain, ln E if
  /// all are uniform.
  ///
  /// - Parameter probabilities: Shape `[tokens, experts]`, each row summing to 1.
  /// - Returns: Shape `[]`; 0 for no tokens.
  public static func entropy(probabilities: Tensor) -> Tensor {
    guard probabilities.size(0) > 0 else {
      return Tensor(0 as Float).moved(to: probabilities.device)
    }
    // Clamping to the smallest normal number makes 0 · log 0 equal 0.
    let p = probabilities.cast(to: .f32)
    let logarithm = p.clamped(min: Double(Float.leastNormalMagnitude)).log()
    return -(p * logarithm).sum(axis: 1).mean()
  }

  /// The deviation of the mean probabilities from uniform: E · Σ_e P_e² − 1.
  ///
  /// 0 if all experts are equally likely over the batch, E − 1 if one takes all; unlike
  /// ``loadBalance(probabilities:load:denominator:)`` it is fully differentiable.
  ///
  /// - Parameter probabilities: Shape `[tokens, experts]`, each row summing to 1.
  /// - Returns: Shape `[]`; 0 for no tokens.
  public static func unevenness(probabilities: Tensor) -> Tensor {
    guard probabilities.size(0) > 0 else {
      return Tensor(0 as Float).moved(to: probabilities.device)
    }
    let means = probabilities.cast(to: .f32).mean(axis: 0)  // [experts]
    return (means * means).sum() * probabilities.size(1) - 1
  }
}
