public import MoERouting
public import MoETensor

/// A sparse layer whose experts may be of different kinds: one gate reads the pooled view of a sample, and the
/// chosen expert reads its own.
///
///     h = W_c · pooled + b_c          the gate's and pooled experts' view
///     Q = W_s · sequence + b_s        sequence experts' view, made only for samples that such an expert works on
///     y = Σ_chosen weight · expert(view)
///
/// - SeeAlso: Pandey et al. 2025, *Hecto*, figure 1, [arXiv:2506.22919](https://arxiv.org/abs/2506.22919).
public struct MixedLayer {
  /// W_c: `[width, inputs]`.
  public let pooledProjection: Linear
  /// W_s: `[width, inputs]`; absent where no expert reads the sequence.
  public let sequenceProjection: Linear?
  /// Scores the experts: `[experts, width]`.
  public let gate: Linear
  /// The experts.
  public let experts: any ExpertBank

  /// Collects the parts of a layer.
  ///
  /// - Precondition: There is a projection for every view that an expert reads.
  public init(
    pooledProjection: Linear, sequenceProjection: Linear?, gate: Linear,
    experts: [any Expert], outputs: Int
  ) {
    precondition(
      sequenceProjection != nil || experts.allSatisfy { $0.view == .pooled },
      "experts that read the sequence, and no projection of it")
    (self.pooledProjection, self.sequenceProjection) = (pooledProjection, sequenceProjection)
    self.gate = gate
    self.experts = ExpertBanks.bank(of: experts, outputs: outputs)
  }

  /// What a layer gives.
  public struct Output {
    /// The answers, `[samples, outputs]`.
    public var answers: Tensor
    /// Who worked on what.
    public var routing: Routing
    /// The gate's scores before temperature, `[samples, experts]`.
    public var logits: Tensor
  }

  /// Applies the layer to samples.
  ///
  /// - Parameters:
  ///   - views: The samples.
  ///   - router: The rule that chooses.
  ///   - random: Where random rules draw from.
  /// - Returns: The answers and the assignment; an expert that no sample chose was not called.
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
