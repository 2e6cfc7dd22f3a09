public import MoERouting
public import MoETensor

/// A sparse layer: a gate scores experts, a router chooses, the chosen experts answer.
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
  /// Works on every token, if there is one.
  public let shared: FeedForward?
  /// Scales the shared expert's answer per token, `[1, hidden]`, if there is one.
  public let sharedGate: Linear?

  /// Collects the parts of a layer.
  public init(
    gate: Linear, router: any Router, selectionBias: Parameter? = nil, experts: any ExpertBank,
    shared: FeedForward? = nil, sharedGate: Linear? = nil
  ) {
    (self.gate, self.router, self.selectionBias) = (gate, router, selectionBias)
    (self.experts, self.shared, self.sharedGate) = (experts, shared, sharedGate)
  }

  /// What a layer gives.
  public struct Output {
    /// Shape `[tokens, hidden]`.
    public var hidden: Tensor
    /// Who worked on what.
    public var routing: Routing
    /// The gate's scores, `[tokens, columns]`, for losses.
    public var logits: Tensor

    /// The same without the history of its computation.
    var detached: Output {
      Output(hidden: hidden.detached(), routing: routing.detached, logits: logits.detached())
    }
  }

  /// Applies the layer to tokens.
  ///
  /// - Parameters:
  ///   - x: Shape `[tokens, hidden]`.
  ///   - context: Sequences and randomness for the router.
  /// - Returns: The answers and the assignment.
  public func callAsFunction(_ x: Tensor, in context: RoutingContext) -> Output {
    var context = context
    context.selectionBias = selectionBias?.value
    let logits = gate(x)  // [tokens, columns]
    let routing = router.route(logits, in: context)
    var hidden = experts.run(ExpertRows(x), Dispatch(routing))
    if let shared {
      let answer = shared(x)
      hidden = hidden + (sharedGate.map { $0(x).sigmoid() * answer } ?? answer)
    }
    return Output(hidden: hidden, routing: routing, logits: logits)
  }
}
