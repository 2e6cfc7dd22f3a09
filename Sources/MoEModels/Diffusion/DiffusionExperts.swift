import MoECore
public import MoERouting
public import MoETensor

/// The sparse network of a diffusion transformer's block.
///
///     tokens of images without a label → their own expert, with weight 1     where the model has one
///     other tokens → the experts that the rule gives them, weighted
///     all tokens → the shared expert, with weight 1                          where the model has one
public struct DiffusionExperts {
  /// Assigns tokens to the routed experts.
  let rule: any DiffusionRule
  /// The routed experts, then that of images without a label, if there is one.
  let experts: any ExpertBank
  let shared: FeedForward?
  let hasUnconditional: Bool

  init(
    rule: any DiffusionRule, experts: any ExpertBank, shared: FeedForward?, hasUnconditional: Bool
  ) {
    (self.rule, self.experts) = (rule, experts)
    (self.shared, self.hasUnconditional) = (shared, hasUnconditional)
  }

  /// What a layer gives.
  public struct Output {
    /// Shape `[batch, tokens, width]`.
    public var hidden: Tensor
    /// Who worked on what, over all tokens of the batch and all experts but the shared one; the unconditional
    /// expert, if there is one, is the last.
    public var routing: Routing
    /// Which tokens the rule saw.
    public var split: ConditionalSplit
    /// What it did with them.
    public var routed: RoutedTokens
    /// The rule.
    let rule: any DiffusionRule

    /// The part of ``routing`` that the rule decided: of the tokens of ``split`` with a label, numbered from 0.
    public var conditional: Routing { routed.routing }
    /// The tokens that the rule saw, shape `[conditional tokens, width]`.
    public var tokens: Tensor { routed.tokens.values }
  }

  /// Applies the layer.
  ///
  /// - Parameters:
  ///   - x: Shape `[batch, tokens, width]`.
  ///   - labels: One per image.
  ///   - pass: What the pass is for.
  /// - Returns: The answers and the assignment.
  func callAsFunction(
    _ x: Tensor, labels: DiffusionLabels, pass: DiffusionPass
  ) -> Output {
    let (batch, perSample, width) = (x.size(0), x.size(1), x.size(2))
    let split = ConditionalSplit(
      isUnconditional: hasUnconditional
        ? labels.isNull : Array(repeating: false, count: batch), tokensPerSample: perSample)
    let all = x.reshaped([batch * perSample, width])
    let tokens = LabelledTokens(
      split.conditional(all),
      labels: split.conditionalSamples.map { labels.isNull[$0] ? nil : labels.values[$0] },
      perImage: perSample)
    let routed = rule.route(tokens, pass: pass)
    let routing = hasUnconditional ? split.joined(routed.routing) : routed.routing
    var hidden = experts.run(ExpertRows(all), Dispatch(routing))
    if let shared { hidden = hidden + shared(all) }
    return Output(
      hidden: hidden.reshaped(x.shape), routing: routing, split: split, routed: routed, rule: rule)
  }

}

/// What a forward pass of a ``DiffusionTransformer`` is for.
public enum DiffusionPass {
  /// Making images.
  case inference
  /// Learning from images.
  case training
  /// As training, but centroids first start from random tokens.
  case starting(RandomSource)

  /// Whether the model learns from the images.
  public var isTraining: Bool { if case .inference = self { false } else { true } }
}

/// The labels of a batch.
struct DiffusionLabels {
  var values: [Int]
  /// For each image, whether it has the label that says nothing.
  var isNull: [Bool]
}
