import MoERouting
public import MoETensor

/// The head of a Hecto model: projections, a gate, and experts of any kind, with their weights by
/// name.
///
/// Projections and gate are drawn before the experts, so that models that differ only in their
/// experts' kinds start with the same ones.
public final class ExpertMixture {
  /// The layer's configuration.
  public let configuration: MixtureConfiguration
  /// All weights by name.
  public let parameters: [NamedParameter]
  /// The layer.
  public let layer: MixedLayer

  /// Builds a layer with weights from a source.
  ///
  /// - Throws: What the source throws.
  public init(
    _ configuration: MixtureConfiguration, weights: some WeightSource,
    banks: ExpertBanks = .standard
  ) throws {
    let (c, width) = (configuration, configuration.width)
    func builder(_ prefix: String) -> ExpertBuilder {
      ExpertBuilder(
        prefix, width: width, size: c.expertSize, outputs: c.outputs, weights: weights)
    }
    let own = builder("")
    let pooled = try own.linear("projections.pooled", width, c.inputs)
    // Drawn even if no expert reads it, so that the gate is initialized the same way.
    let sequence = try own.linear("projections.sequence", width, c.inputs)
    let gate = try own.linear("gate", c.experts.count, width)
    var parameters = own.parameters
    let experts = try c.experts.enumerated().map { number, kind in
      let builder = builder("experts.\(number)")
      let expert = try kind.expert(builder)
      parameters += builder.parameters
      return expert
    }
    self.configuration = configuration
    layer = MixedLayer(
      pooledProjection: pooled, sequenceProjection: sequence, gate: gate,
      experts: banks.bank(of: experts, outputs: c.outputs))
    self.parameters = parameters
  }

  /// Applies the layer.
  ///
  /// - Parameters:
  ///   - views: The samples.
  ///   - training: Whether a soft mixture runs all experts; without training only the most likely
  ///     one runs.
  /// - Returns: The outputs and the assignment.
  public func callAsFunction(_ views: InputViews, training: Bool = false) -> MixedLayer.Output {
    let router = configuration.router
    return layer(views, router: training ? router : router.forInference)
  }
}

@available(*, unavailable)
extension ExpertMixture: Sendable {}
