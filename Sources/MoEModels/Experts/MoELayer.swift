public import MoERouting
public import MoETensor

/// A sparse layer: a gate scores experts, a router chooses, and the chosen experts run.
///
///     y = Σ_chosen weight · expert(x)  +  shared(x) · (σ(sharedGate(x)) if there is one)
public struct MoELayer {
  /// Scores the experts: `[columns, hidden]`.
  public let gate: Linear
  /// The rule that chooses.
  public let router: any Router
  /// Added to the scores when experts are chosen, `[experts]`; a state of training, not a weight.
  public let selectionBias: Parameter?
  /// The routed experts.
  public let experts: any ExpertBank
  /// The expert that processes every token, if there is one.
  public let shared: FeedForward?
  /// Scales the shared expert's output per token, `[1, hidden]`, if there is one.
  public let sharedGate: Linear?

  /// Assembles a layer from its parts.
  public init(
    gate: Linear, router: any Router, selectionBias: Parameter? = nil, experts: any ExpertBank,
    shared: FeedForward? = nil, sharedGate: Linear? = nil
  ) {
    (self.gate, self.router, self.selectionBias) = (gate, router, selectionBias)
    (self.experts, self.shared, self.sharedGate) = (experts, shared, sharedGate)
  }

  /// The output of a layer.
  public struct Output {
    /// Shape `[tokens, hidden]`.
    public var hidden: Tensor
    /// The assignment of tokens to experts.
    public var routing: Routing
    /// The gate's scores, `[tokens, columns]`, for losses.
    public var logits: Tensor

    /// The same, detached from the autograd graph.
    var detached: Output {
      Output(hidden: hidden.detached(), routing: routing.detached, logits: logits.detached())
    }
  }

  /// Applies the layer to tokens.
  ///
  /// - Parameters:
  ///   - x: Shape `[tokens, hidden]`.
  ///   - context: Sequences and random numbers for the router.
  ///   - arithmetic: How sums are ordered; `nil` where nobody relies on an order.
  /// - Returns: The outputs and the assignment.
  public func callAsFunction(
    _ x: Tensor, in context: RoutingContext, as arithmetic: Arithmetic? = nil
  ) -> Output {
    var context = context
    context.selectionBias = selectionBias?.value
    let logits = gate(x, as: arithmetic)  // [tokens, columns]
    let routing = router.route(logits, in: context)
    var hidden = experts.run(ExpertRows(x, as: arithmetic), Dispatch(routing))
    if let shared {
      let answer = shared(x, as: arithmetic)
      hidden = hidden + (sharedGate.map { $0(x, as: arithmetic).sigmoid() * answer } ?? answer)
    }
    return Output(hidden: hidden, routing: routing, logits: logits)
  }
}
