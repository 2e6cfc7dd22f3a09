import MoECore
public import MoETensor

/// ProMoE's first step: tokens of unlabelled samples go to a dedicated expert, and only the others
/// are routed.
///
/// - SeeAlso: *Routing Matters in MoE: Scaling Diffusion Transformers with Explicit Routing
///   Guidance*, §3.1, [arXiv:2510.24711](https://arxiv.org/abs/2510.24711).
public struct ConditionalSplit: Hashable, Sendable {
  /// The number of tokens per sample.
  public let tokensPerSample: Int
  /// Indices of samples with a label.
  public let conditionalSamples: [Int]
  /// Indices of samples without a label.
  public let unconditionalSamples: [Int]

  /// Splits a batch.
  ///
  /// - Parameters:
  ///   - isUnconditional: For each sample, whether it has no label.
  ///   - tokensPerSample: The number of tokens per sample.
  public init(isUnconditional: [Bool], tokensPerSample: Int) {
    self.tokensPerSample = tokensPerSample
    conditionalSamples = isUnconditional.indices.filter { !isUnconditional[$0] }
    unconditionalSamples = isUnconditional.indices.filter { isUnconditional[$0] }
  }

  /// The number of all tokens.
  public var tokenCount: Int {
    (conditionalSamples.count + unconditionalSamples.count) * tokensPerSample
  }

  /// Tokens of samples with a label, in ascending order.
  public var conditionalTokens: [Int] { tokens(of: conditionalSamples) }

  /// Tokens of samples without a label, in ascending order.
  public var unconditionalTokens: [Int] { tokens(of: unconditionalSamples) }

  private func tokens(of samples: [Int]) -> [Int] {
    samples.flatMap { $0 * tokensPerSample..<($0 + 1) * tokensPerSample }
  }

  /// The rows of tokens of samples with a label.
  ///
  /// - Parameter x: Shape `[tokens, width]`.
  /// - Returns: Shape `[conditional tokens, width]`.
  public func conditional(_ x: Tensor) -> Tensor {
    guard !unconditionalSamples.isEmpty else { return x }
    let width = x.size(1)
    return x.reshaped([-1, tokensPerSample, width])
      .selecting(Tensor(conditionalSamples).moved(to: x.device))
      .reshaped([conditionalSamples.count * tokensPerSample, width])
  }

  /// Extends a routing of the conditional tokens to all tokens: every other token goes to an
  /// additional, last expert with weight 1.
  ///
  /// - Parameter routing: A routing of the conditional tokens, numbered from 0.
  /// - Returns: Assignments by expert, with one more expert; no gradient flows to its
  ///   probabilities.
  public func joined(_ routing: Routing) -> Routing {
    let (own, others) = (conditionalTokens, unconditionalTokens)
    require(
      routing.tokenCount == own.count, "a routing of \(routing.tokenCount) of \(own.count) tokens")
    let dispatch = Dispatch(routing)
    var start = 0
    var lists = dispatch.counts.map { count in
      defer { start += count }
      return dispatch.rows[start..<start + count].map { own[Int($0)] }
    }
    lists.append(others)
    let weights =
      others.isEmpty
      ? dispatch.weights
      : Tensor.concatenated(
        [dispatch.weights, Tensor.ones([others.count], on: routing.weights.device)], axis: 0)
    return Routing(
      tokenCount: tokenCount, expertCount: routing.expertCount + 1,
      choice: .byExpert(tokens: lists),
      weights: weights, probabilities: withoutGradients { joinedProbabilities(routing) })
  }

  private func joinedProbabilities(_ routing: Routing) -> Tensor {
    let device = routing.probabilities.device
    let columns = routing.expertCount + 1
    let share = routing.probabilities.detached().padded(axis: 1, before: 0, after: 1)
    guard !unconditionalSamples.isEmpty else { return share }
    var sure = [Float](repeating: 0, count: columns)
    sure[columns - 1] = 1
    let rest = Tensor(sure, shape: [1, columns]).moved(to: device)
      .expanded([unconditionalTokens.count, columns])
    let order = Tensor(conditionalTokens + unconditionalTokens).moved(to: device)
    return Tensor.zeros([tokenCount, columns], on: device)
      .adding(Tensor.concatenated([share, rest], axis: 0), at: order)
  }
}

extension Routing {
  /// Converts a routing of samples to one of their tokens: each token goes where its sample goes.
  ///
  /// - Parameter tokensPerSample: The number of tokens per sample.
  /// - Returns: A routing of the tokens, sample by sample.
  /// - Precondition: Samples chose experts, not vice versa.
  public func spread(tokensPerSample: Int) -> Routing {
    guard case .byToken(let experts, let k) = choice else {
      programmerError("samples chosen by experts cannot be spread over their tokens")
    }
    let chosen = (0..<tokenCount).flatMap { sample in
      (0..<tokensPerSample).flatMap { _ in experts[sample * k..<(sample + 1) * k] }
    }
    func spread(_ rows: Tensor) -> Tensor {
      rows.expandingAxis(1).expanded([tokenCount, tokensPerSample, rows.size(1)])
        .reshaped([tokenCount * tokensPerSample, rows.size(1)])
    }
    return Routing(
      tokenCount: tokenCount * tokensPerSample, expertCount: expertCount,
      choice: .byToken(experts: chosen, k: k), weights: spread(weights),
      probabilities: spread(probabilities))
  }
}
