import MoERouting
public import MoETensor

/// The head of a Hecto model: projections, a gate, and experts of any kinds under it, with their weights by name.
///
/// Projections and gate are drawn before the experts, so that models that differ in their experts' kinds alone start
/// with the same ones.
public final class ExpertMixture {
  /// The layer as data.
  public let configuration: MixtureConfiguration
  /// All weights by name.
  public let parameters: [(name: String, parameter: Parameter)]
  /// The layer.
  public let layer: MixedLayer

  /// Builds a layer with weights from a source.
  ///
  /// - Throws: What the source throws.
  public init(_ configuration: MixtureConfiguration, weights: some WeightSource) throws {
    let builder = MixtureBuilder(weights)
    let (c, width) = (configuration, configuration.width)
    let pooled = try builder.linear("projections.pooled", width, c.inputs)
    // Drawn also where no expert reads it, so that the gate starts the same.
    let sequence = try builder.linear("projections.sequence", width, c.inputs)
    let gate = try builder.linear("gate", c.experts.count, width)
    let experts = try c.experts.enumerated().map { number, kind in
      try builder.expert("experts.\(number)", kind, c)
    }
    self.configuration = configuration
    layer = MixedLayer(
      pooledProjection: pooled, sequenceProjection: sequence, gate: gate, experts: experts,
      outputs: c.outputs)
    parameters = builder.parameters
  }

  /// Applies the layer.
  ///
  /// - Parameters:
  ///   - views: The samples.
  ///   - training: Whether a soft mixture runs all experts; without training only the likeliest runs.
  /// - Returns: The answers and the assignment.
  public func callAsFunction(_ views: InputViews, training: Bool = false) -> MixedLayer.Output {
    let router = configuration.router
    return layer(views, router: training ? router : router.forInference)
  }
}

@available(*, unavailable)
extension ExpertMixture: Sendable {}

/// Asks a source for the weights of a mixture.
private final class MixtureBuilder {
  private(set) var parameters: [(name: String, parameter: Parameter)] = []
  private let weights: any WeightSource

  init(_ weights: any WeightSource) { self.weights = weights }

  private func weight(_ name: String, _ shape: [Int], spread: Int) throws -> Parameter {
    // As PyTorch starts linear and recurrent layers: even between ±1/√(numbers that are summed).
    let limit = 1 / Double(spread).squareRoot()
    let parameter = try weights.weight(name, shape, start: .uniform(limit))
    parameters.append((name, parameter))
    return parameter
  }

  func linear(_ name: String, _ outputs: Int, _ inputs: Int) throws -> Linear {
    Linear(
      weight: try weight(name + ".weight", [outputs, inputs], spread: inputs),
      bias: try weight(name + ".bias", [outputs], spread: inputs))
  }

  func expert(
    _ name: String, _ kind: ExpertKind, _ c: MixtureConfiguration
  ) throws -> any ViewingExpert {
    let size = c.expertSize
    switch kind {
    case .feedForward:
      let up = try linear(name + ".up_proj", size, c.width)
      let down = try linear(name + ".down_proj", c.outputs, size)
      return PooledExpert(FeedForward(gate: nil, up: up, down: down, activation: .tanh))
    case .recurrent:
      let units = name + ".gru"
      let input = Linear(
        weight: try weight(units + ".weight_ih_l0", [3 * size, c.width], spread: size),
        bias: try weight(units + ".bias_ih_l0", [3 * size], spread: size))
      let hidden = Linear(
        weight: try weight(units + ".weight_hh_l0", [3 * size, size], spread: size),
        bias: try weight(units + ".bias_hh_l0", [3 * size], spread: size))
      return RecurrentExpert(
        input: input, hidden: hidden, output: try linear(name + ".output", c.outputs, size))
    }
  }
}
