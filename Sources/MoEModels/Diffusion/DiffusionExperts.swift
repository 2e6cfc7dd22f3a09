import MoECore
public import MoERouting
public import MoETensor

/// The sparse network of a diffusion transformer's block.
///
///     tokens of images without a label → a separate expert, with weight 1    if the model has one
///     other tokens → the experts that the rule assigns, weighted
///     all tokens → the shared expert, with weight 1                          if the model has one
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

  /// The output of a layer.
  public struct Output {
    /// Shape `[batch, tokens, width]`.
    public var hidden: Tensor
    /// The assignment of all tokens of the batch to all experts but the shared one; the
    /// unconditional expert, if there is one, is the last.
    public var routing: Routing
    /// Which tokens the rule assigned.
    public var split: ConditionalSplit
    /// How it assigned them.
    public var routed: RoutedTokens
    /// The rule.
    let rule: any DiffusionRule

    /// The part of ``routing`` that the rule determined: the tokens with a label in ``split``,
    /// numbered from 0.
    public var conditional: Routing { routed.routing }
    /// The tokens that the rule assigned, shape `[conditional tokens, width]`.
    public var tokens: Tensor { routed.tokens.values }
  }

  /// Applies the layer.
  ///
  /// - Parameters:
  ///   - x: Shape `[batch, tokens, width]`.
  ///   - labels: One per image.
  ///   - pass: What the pass is for.
  /// - Returns: The outputs and the assignment.
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

/// The purpose of a forward pass of a ``DiffusionTransformer``.
public enum DiffusionPass {
  /// Making images.
  case inference
  /// Training on images.
  case training
  /// Like training, but centroids are first initialized from random tokens.
  case starting(RandomSource)

  /// Whether the model is trained on the images.
  public var isTraining: Bool { if case .inference = self { false } else { true } }
}

/// The labels of a batch.
struct DiffusionLabels {
  var values: [Int]
  /// For each image, whether its label is null.
  var isNull: [Bool]
}
