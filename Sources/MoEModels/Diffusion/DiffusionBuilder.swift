import MoECore
import MoERouting
import MoETensor

/// Requests the weights of a diffusion transformer from a source, under the names of the paper's
/// code.
final class DiffusionBuilder {
  /// The trained weights.
  private(set) var parameters: [NamedParameter] = []
  /// State that is stored with the weights, but not changed by gradients.
  private(set) var buffers: [NamedParameter] = []
  private let configuration: DiffusionConfiguration
  private let weights: any WeightSource
  private let banks: ExpertBanks

  init(_ configuration: DiffusionConfiguration, weights: any WeightSource, banks: ExpertBanks) {
    (self.configuration, self.weights, self.banks) = (configuration, weights, banks)
  }

  func weight(_ name: String, _ shape: [Int], start: WeightStart) throws -> Parameter {
    let parameter = try weights.weight(name, shape, start: start)
    parameters.append(NamedParameter(name, parameter))
    return parameter
  }

  func buffer(_ name: String, _ shape: [Int], start: WeightStart) throws -> Parameter {
    let parameter = try weights.weight(name, shape, start: start)
    buffers.append(NamedParameter(name, parameter))
    return parameter
  }

  func linear(
    _ name: String, _ outputs: Int, _ inputs: Int, start: WeightStart? = nil
  ) throws -> Linear {
    let matrix = try weights.linear(
      name + ".weight", outputs: outputs, inputs: inputs, start: start ?? .xavier(outputs, inputs))
    if let parameter = matrix as? Parameter {
      parameters.append(NamedParameter(name + ".weight", parameter))
    }
    return Linear(weight: matrix, bias: try weight(name + ".bias", [outputs], start: .zeros))
  }

  /// The patch embedding, stored as a convolution's weight.
  func patches() throws -> (weight: Parameter, bias: Parameter) {
    let c = configuration
    let inputs = c.channels * c.patchSize * c.patchSize
    let weight = try weight(
      "x_embedder.proj.weight", [c.hiddenSize, c.channels, c.patchSize, c.patchSize],
      start: .xavier(c.hiddenSize, inputs))
    return (weight, try self.weight("x_embedder.proj.bias", [c.hiddenSize], start: .zeros))
  }

  func positions() throws -> Parameter {
    let (rows, width) = (
      configuration.imageSize / configuration.patchSize, configuration.hiddenSize
    )
    return try buffer(
      "pos_embed", [1, rows * rows, width],
      start: .given(DiffusionEmbeddings.positions(rows: rows, width: width)))
  }

  func block(_ place: Int) throws -> DiffusionBlock {
    let prefix = "blocks.\(place)"
    let width = configuration.hiddenSize
    let attention = try attention(prefix + ".attn")
    let network: DiffusionBlock.Network =
      if let experts = configuration.experts, configuration.isSparse(place) {
        .sparse(try sparse(prefix + ".mlp", experts))
      } else {
        .dense(try network(prefix + ".mlp", inner: 4 * width, names: ("fc1", "fc2")))
      }
    return DiffusionBlock(
      place: place, attention: attention, network: network,
      modulation: try linear(prefix + ".adaLN_modulation.1", 6 * width, width, start: .zeros))
  }

  private func attention(_ prefix: String) throws -> DiffusionAttention {
    let (width, heads) = (configuration.hiddenSize, configuration.heads)
    func norm(_ name: String) throws -> Normalization {
      Normalization(
        .layer, weight: try weight("\(prefix).\(name).weight", [width / heads], start: .ones),
        bias: try weight("\(prefix).\(name).bias", [width / heads], start: .zeros), epsilon: 1e-5)
    }
    return DiffusionAttention(
      joint: try linear(prefix + ".qkv", 3 * width, width),
      output: try linear(prefix + ".proj", width, width),
      norms: configuration.hasQueryKeyNorm ? (try norm("q_norm"), try norm("k_norm")) : nil,
      heads: heads)
  }

  private func network(
    _ prefix: String, inner: Int, names: (up: String, down: String)
  ) throws -> FeedForward {
    let width = configuration.hiddenSize
    return FeedForward(
      gate: nil, up: try linear("\(prefix).\(names.up)", inner, width),
      down: try linear("\(prefix).\(names.down)", width, inner), activation: .geluTanh)
  }

  private func sparse(
    _ prefix: String, _ experts: DiffusionExpertsConfiguration
  ) throws -> DiffusionExperts {
    let router = experts.router.rule
    let rule = try router.init(
      DiffusionRuleWeights(
        self, prefix: prefix, experts: experts, width: configuration.hiddenSize))
    let names = router.projections
    let listed = try (0..<experts.listed).map {
      try network("\(prefix).experts.\($0)", inner: experts.size, names: names)
    }
    return DiffusionExperts(
      rule: rule,
      experts: banks.bank(of: listed, outputs: configuration.hiddenSize),
      shared: try experts.sharedSize.map {
        try network(prefix + ".shared_expert", inner: $0, names: names)
      }, hasUnconditional: experts.hasUnconditional)
  }
}
