public import MoERouting
public import MoETensor

/// A sparse layer whose experts may be of different kinds: one gate reads the pooled view of a
/// sample, and the chosen expert reads its view.
///
///     h = W_c · pooled + b_c          the gate's and pooled experts' view
///     Q = W_s · sequence + b_s        sequence experts' view, computed only for their samples
///     y = Σ_chosen weight · expert(view)
///
/// - SeeAlso: Pandey et al. 2025, *Hecto*, figure 1, [arXiv:2506.22919](https://arxiv.org/abs/2506.22919).
public struct MixedLayer {
  /// W_c: `[width, inputs]`.
  public let pooledProjection: Linear
  /// W_s: `[width, inputs]`; absent if no expert reads the sequence.
  public let sequenceProjection: Linear?
  /// Scores the experts: `[experts, width]`.
  public let gate: Linear
  /// The experts.
  public let experts: any ExpertBank

  /// Assembles a layer from its parts.
  ///
  /// - Precondition: Every expert has as many inputs as the projections have outputs, and there is a projection for every
  ///   view that an expert reads.
  public init(
    pooledProjection: Linear, sequenceProjection: Linear?, gate: Linear,
    experts: any ExpertBank
  ) {
    (self.pooledProjection, self.sequenceProjection) = (pooledProjection, sequenceProjection)
    self.gate = gate
    self.experts = experts
  }

  /// The output of a layer.
  public struct Output {
    /// The outputs, `[samples, outputs]`.
    public var answers: Tensor
    /// The assignment of samples to experts.
    public var routing: Routing
    /// The gate's logits before temperature, `[samples, experts]`.
    public var logits: Tensor
  }

  /// Applies the layer to samples.
  ///
  /// - Parameters:
  ///   - views: The samples.
  ///   - router: The rule that chooses.
  ///   - random: The random numbers of random rules.
  /// - Returns: The outputs and the assignment; experts without samples are not called.
  public func callAsFunction(
    _ views: InputViews, router: some Router, random: RandomSource? = nil
  ) -> Output {
    let pooled = pooledProjection(views.pooled)  // [samples, width]
    let logits = gate(pooled)  // [samples, experts]
    let routing = router.route(logits, in: RoutingContext(random: random))
    let rows = ExpertRows(pooled) { projected(views.sequence.selecting($0)) }
    let answers = experts.run(rows, Dispatch(routing))
    return Output(answers: answers, routing: routing, logits: logits)
  }

  private func projected(_ chosen: PackedRows) -> PackedRows {
    guard let sequenceProjection else { preconditionFailure("no projection of the sequence") }
    return PackedRows(rows: sequenceProjection(chosen.rows), lengths: chosen.lengths)
  }
}
