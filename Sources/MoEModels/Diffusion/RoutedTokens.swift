public import MoERouting
public import MoETensor

/// Tokens of images, for a rule to assign.
public struct LabelledTokens {
  /// Shape `[images · perImage, width]`, one image after another.
  public var values: Tensor
  /// The class of each image, from 0; `nil` for an image that has no label.
  public var labels: [Int?]
  /// Tokens of each image.
  public var perImage: Int

  /// Describes tokens.
  public init(_ values: Tensor, labels: [Int?], perImage: Int) {
    (self.values, self.labels, self.perImage) = (values, labels, perImage)
  }

  /// For routers that treat each image alone.
  public var context: RoutingContext {
    RoutingContext(sequenceLengths: Array(repeating: perImage, count: labels.count))
  }
}

/// What a rule did with tokens, for its losses and for what it learns.
public struct RoutedTokens {
  /// The tokens.
  public var tokens: LabelledTokens
  /// Which routed experts work on them.
  public var routing: Routing
  /// What else losses look at, in an order that the rule knows.
  ///
  /// Where blocks are computed again in the backward pass, these tensors, the tokens and the routing's probabilities
  /// are the ones that gradients flow through. A loss that needs any other result of ``DiffusionRule/route(_:pass:)``
  /// finds it here or has no gradient.
  public var evidence: [Tensor]

  /// Describes an assignment.
  public init(_ tokens: LabelledTokens, _ routing: Routing, evidence: [Tensor] = []) {
    (self.tokens, self.routing, self.evidence) = (tokens, routing, evidence)
  }

  /// The tensors through which gradients of losses flow, but for weights.
  var forLosses: [Tensor] {
    get { [routing.probabilities, tokens.values] + evidence }
    set {
      (routing.probabilities, tokens.values) = (newValue[0], newValue[1])
      evidence = Array(newValue.dropFirst(2))
    }
  }
}
