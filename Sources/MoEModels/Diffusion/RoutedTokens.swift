public import MoERouting
public import MoETensor

/// Tokens of images that a rule assigns.
public struct LabelledTokens {
  /// Shape `[images · perImage, width]`, one image after another.
  public var values: Tensor
  /// The class of each image, from 0; `nil` for an image without a label.
  public var labels: [Int?]
  /// Tokens of each image.
  public var perImage: Int

  /// Creates a batch of tokens.
  public init(_ values: Tensor, labels: [Int?], perImage: Int) {
    (self.values, self.labels, self.perImage) = (values, labels, perImage)
  }

  /// The context for routers that treat each image separately.
  public var context: RoutingContext {
    RoutingContext(sequenceLengths: Array(repeating: perImage, count: labels.count))
  }
}

/// What a rule did with tokens, for its losses and updates.
public struct RoutedTokens {
  /// The tokens.
  public var tokens: LabelledTokens
  /// Their assignment to routed experts.
  public var routing: Routing
  /// Other tensors that losses use, in an order that the rule defines.
  ///
  /// When blocks are recomputed in the backward pass, gradients flow only through these tensors,
  /// the tokens and the routing's probabilities. Any other result of
  /// ``DiffusionRule/route(_:pass:)`` that a loss needs must be here, or it has no gradient.
  public var evidence: [Tensor]

  /// Creates a record of an assignment.
  public init(_ tokens: LabelledTokens, _ routing: Routing, evidence: [Tensor] = []) {
    (self.tokens, self.routing, self.evidence) = (tokens, routing, evidence)
  }

  /// The tensors through which gradients of losses flow, apart from weights.
  var forLosses: [Tensor] {
    get { [routing.probabilities, tokens.values] + evidence }
    set {
      (routing.probabilities, tokens.values) = (newValue[0], newValue[1])
      evidence = Array(newValue.dropFirst(2))
    }
  }
}
