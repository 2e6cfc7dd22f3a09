import MoECore
public import MoERouting
public import MoETensor

/// The sparse network of a diffusion transformer's block.
///
///     tokens of images without a label → their own expert, with weight 1     where the model has one
///     other tokens → the experts that the router gives them, weighted
///     all tokens → the shared expert, with weight 1                          where the model has one
public struct DiffusionExperts {
  /// Makes the scores by which the router chooses.
  enum Gate {
    /// Cosines to prototypes, `[experts, width]`; scores in f32.
    case prototypes(Parameter)
    /// A linear layer without bias, `[experts, width]`.
    case linear(Linear)
    /// A linear layer, and DiffMoE's predictor of capacities.
    case capacity(Linear, CapacityPredictor)
    /// A linear layer with bias on each image's mean token.
    case classifier(Linear, superclasses: [Int])
    /// Distances to centroids, `[experts, width]`, a state of training.
    case centroids(Parameter)
  }

  let gate: Gate
  let router: any Router
  /// The routed experts, then that of images without a label, if there is one.
  let experts: any ExpertBank
  let shared: FeedForward?
  let hasUnconditional: Bool

  init(
    gate: Gate, router: any Router, experts: any ExpertBank, shared: FeedForward?,
    hasUnconditional: Bool
  ) {
    (self.gate, self.router, self.experts) = (gate, router, experts)
    (self.shared, self.hasUnconditional) = (shared, hasUnconditional)
  }

  /// What a layer gives.
  public struct Output {
    /// Shape `[batch, tokens, width]`.
    public var hidden: Tensor
    /// Who worked on what, over all tokens of the batch and all experts but the shared one; the unconditional
    /// expert, if there is one, is the last.
    public var routing: Routing
    /// The part of it that the router decided: of the tokens of ``split`` with a label, numbered from 0.
    public var conditional: Routing
    /// Which tokens the router saw.
    public var split: ConditionalSplit
    /// What it saw, shape `[conditional tokens, width]`.
    public var tokens: Tensor
    /// What else its losses need.
    var evidence: Evidence
  }

  /// What belongs to one kind of gate.
  enum Evidence {
    case none
    case prototypes(Tensor)
    /// Predictions before the sigmoid, `[tokens, experts]`.
    case capacity(Tensor)
    /// Scores of images, `[images, experts]`, and the right experts.
    case classifier(Tensor, targets: [Int])
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
    let tokens = split.conditional(all)
    let (conditional, evidence) = route(tokens, split: split, labels: labels, pass: pass)
    let routing = hasUnconditional ? split.joined(conditional) : conditional
    var hidden = experts.run(ExpertRows(all), Dispatch(routing))
    if let shared { hidden = hidden + shared(all) }
    return Output(
      hidden: hidden.reshaped(x.shape), routing: routing, conditional: conditional, split: split,
      tokens: tokens, evidence: evidence)
  }

  private func route(
    _ x: Tensor, split: ConditionalSplit, labels: DiffusionLabels, pass: DiffusionPass
  ) -> (Routing, Evidence) {
    let images = split.conditionalSamples.count
    let context = RoutingContext(
      sequenceLengths: Array(repeating: split.tokensPerSample, count: images))
    switch gate {
    case .prototypes(let prototypes):
      let scores = Prototypes.scores(of: x, prototypes: prototypes.value)
      return (router.route(scores, in: context), .prototypes(prototypes.value))
    case .linear(let gate):
      return (router.route(gate(x).cast(to: .f32), in: context), .none)
    case .capacity(let gate, let predictor):
      let logits = gate(x).cast(to: .f32)
      let predictions = predictor(x.detached())
      let routing =
        pass.isTraining
        ? router.route(logits)
        : CapacityPrediction.route(
          logits, predictions: predictions, thresholds: predictor.thresholds.value)
      return (routing, .capacity(predictions))
    case .classifier(let classifier, let superclasses):
      let means = x.reshaped([images, split.tokensPerSample, x.size(1)]).mean(axis: 1)
      let logits = classifier(means).cast(to: .f32)  // [images, experts]
      let routing = router.route(logits).spread(tokensPerSample: split.tokensPerSample)
      // Without an unconditional expert, an image without a label has no right expert; -100 does not count.
      let targets = split.conditionalSamples.map {
        labels.isNull[$0] ? -100 : superclasses[labels.values[$0]]
      }
      return (routing, .classifier(logits, targets: targets))
    case .centroids(let centroids):
      if case .starting(let random) = pass, x.size(0) >= centroids.value.size(0) {
        centroids.assign(KMeans.start(centroids.value.size(0), from: x, random: random))
      }
      return (
        router.route(KMeans.scores(of: x, centroids: centroids.value), in: context), .none
      )
    }
  }
}

/// DiffMoE's predictor of how many tokens each expert would take.
struct CapacityPredictor {
  /// `[width, width]`.
  let first: Linear
  /// `[experts, width]`.
  let second: Linear
  /// f32, `[experts]`, a state of training.
  let thresholds: Parameter
  /// Share of a threshold that a step keeps, shape `[1]`.
  let decay: Parameter

  /// Predictions before the sigmoid: `[tokens, width] → [tokens, experts]`.
  func callAsFunction(_ x: Tensor) -> Tensor { second(first(x).silu()) }
}

/// What a forward pass of a ``DiffusionTransformer`` is for.
public enum DiffusionPass {
  /// Making images.
  case inference
  /// Learning from images.
  case training
  /// As training, but centroids first start from random tokens.
  case starting(RandomSource)

  var isTraining: Bool { if case .inference = self { false } else { true } }
}

/// The labels of a batch.
struct DiffusionLabels {
  var values: [Int]
  /// For each image, whether it has the label that says nothing.
  var isNull: [Bool]
}
