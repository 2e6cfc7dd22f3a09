import MoECore
import Foundation
import MoERouting
import MoETensor

/// Requests the weights of a decoder from a source, one after another, under the names in
/// checkpoints.
final class DecoderBuilder {
  private(set) var parameters: [NamedParameter] = []
  private(set) var packed: [NamedPackedWeight] = []
  private let configuration: DecoderConfiguration
  private let names: WeightNames
  private let weights: any WeightSource
  private let banks: ExpertBanks

  /// Standard deviation of new matrices, as in GPT-2 and most families.
  private static let deviation = 0.02

  init(
    _ configuration: DecoderConfiguration, names: WeightNames, weights: any WeightSource,
    banks: ExpertBanks
  ) {
    (self.configuration, self.names) = (configuration, names)
    (self.weights, self.banks) = (weights, banks)
  }

  /// Matrices that add to the residual stream start smaller, so that its variance does not grow with depth.
  private var residualStart: WeightStart {
    .normal(Self.deviation / (2 * Double(configuration.layers.count)).squareRoot())
  }

  func weight(
    _ name: String, _ shape: [Int], start: WeightStart = .normal(deviation)
  ) throws -> Parameter {
    let parameter = try weights.weight(name, shape, start: start)
    parameters.append(NamedParameter(name, parameter))
    return parameter
  }

  func normalization(_ name: String, _ width: Int) throws -> Normalization {
    let bias =
      configuration.normalization == .layer
      ? try weight(name + ".bias", [width], start: .zeros) : nil
    return Normalization(
      configuration.normalization, weight: try weight(name + ".weight", [width], start: .ones),
      bias: bias, epsilon: configuration.epsilon)
  }

  func layer(_ place: Int) throws -> DecoderLayer {
    let prefix = "model.layers.\(place)"
    let hidden = configuration.hiddenSize
    let attentionNorm = try normalization(prefix + ".input_layernorm", hidden)
    let attention = try attention(prefix + ".self_attn", place)
    let networkNorm = try normalization(prefix + ".post_attention_layernorm", hidden)
    let network: DecoderLayer.Network =
      switch configuration.layers[place] {
      case .dense(let inner): .dense(try dense("\(prefix).mlp", inner: inner))
      case .sparse: .sparse(try sparse("\(prefix).\(names.block)"))
      }
    return DecoderLayer(
      place: place, attentionNorm: attentionNorm, attention: attention, networkNorm: networkNorm,
      network: network)
  }

  private func list(_ weight: any LinearWeight, _ name: String) {
    if let parameter = weight as? Parameter { parameters.append(NamedParameter(name, parameter)) }
    if let weight = weight as? PackedWeight { packed.append(NamedPackedWeight(name, weight)) }
  }

  func linear(
    _ name: String, _ outputs: Int, _ inputs: Int, bias: Bool = false,
    start: WeightStart = .normal(deviation)
  ) throws -> Linear {
    let matrix = try weights.linear(
      name + ".weight", outputs: outputs, inputs: inputs, start: start)
    list(matrix, name + ".weight")
    return Linear(
      weight: matrix, bias: bias ? try weight(name + ".bias", [outputs], start: .zeros) : nil)
  }

  private func attention(_ prefix: String, _ place: Int) throws -> Attention {
    let c = configuration
    let (hidden, width, keyWidth) = (c.hiddenSize, c.heads * c.headSize, c.keyHeads * c.headSize)
    return Attention(
      query: try linear(prefix + ".q_proj", width, hidden, bias: c.hasAttentionBias),
      key: try linear(prefix + ".k_proj", keyWidth, hidden, bias: c.hasAttentionBias),
      value: try linear(prefix + ".v_proj", keyWidth, hidden, bias: c.hasAttentionBias),
      output: try linear(
        prefix + ".o_proj", hidden, width, bias: c.hasOutputBias, start: residualStart),
      norm: try queryKeyNorm(prefix, width, keyWidth), heads: c.heads, keyHeads: c.keyHeads,
      headSize: c.headSize, clip: c.clip, window: c.windows[place])
  }

  private func queryKeyNorm(
    _ prefix: String, _ width: Int, _ keyWidth: Int
  ) throws -> Attention.QueryKeyNorm {
    func norm(_ name: String, _ width: Int) throws -> Normalization {
      let weight = try weight("\(prefix).\(name).weight", [width], start: .ones)
      return Normalization(.rms, weight: weight, epsilon: configuration.epsilon)
    }
    let size = configuration.headSize
    return switch configuration.queryKeyNorm {
    case .none: .none
    case .whole: .whole(query: try norm("q_norm", width), key: try norm("k_norm", keyWidth))
    case .perHead: .perHead(query: try norm("q_norm", size), key: try norm("k_norm", size))
    }
  }

  /// A dense network, whose projections have the usual names in every family.
  private func dense(_ prefix: String, inner: Int) throws -> FeedForward {
    let hidden = configuration.hiddenSize
    let bias = configuration.hasNetworkBias
    let gate =
      configuration.form == .gated
      ? try linear(prefix + ".gate_proj", inner, hidden, bias: bias) : nil
    return FeedForward(
      gate: gate, up: try linear(prefix + ".up_proj", inner, hidden, bias: bias),
      down: try linear(prefix + ".down_proj", hidden, inner, bias: bias, start: residualStart),
      activation: configuration.activation)
  }

  private func sparse(_ prefix: String) throws -> MoELayer {
    let (experts, hidden) = (configuration.experts, configuration.hiddenSize)
    guard let router = configuration.router else {
      throw SettingError(key: "router", value: "absent", expected: "a rule for the sparse layers")
    }
    let gate = try gate(prefix + ".gate", router.gateColumns(experts: experts), hidden)
    let bias =
      router.usesSelectionBias
      ? try weight(prefix + ".gate.e_score_correction_bias", [experts], start: .zeros) : nil
    let routed = try routedExperts(prefix + ".experts")
    var shared: FeedForward?
    var sharedGate: Linear?
    if let description = configuration.shared {
      shared = try dense("\(prefix).\(names.shared)", inner: description.inner)
      if description.isGated {
        sharedGate = try self.gate("\(prefix).\(names.shared)_gate", 1, hidden)
      }
    }
    return MoELayer(
      gate: gate, router: router, selectionBias: bias,
      experts: banks.bank(of: routed, outputs: hidden), shared: shared,
      sharedGate: sharedGate)
  }

  /// A router's scores decide, so they are not rounded more than need be.
  private func gate(_ name: String, _ outputs: Int, _ inputs: Int) throws -> Linear {
    let linear = try linear(name, outputs, inputs)
    guard let packed = linear.weight as? PackedWeight else { return linear }
    return Linear(weight: packed.precise(), bias: linear.bias)
  }

  private func routedExperts(_ prefix: String) throws -> [FeedForward] {
    let c = configuration
    let down = residualStart
    let block = ExpertBlock(prefix: prefix, names: names) { projection in
      projection == .down ? down : .normal(Self.deviation)
    }
    func projection(
      _ projection: ExpertProjection, _ shape: [Int]
    ) throws -> [any LinearWeight] {
      let found = try weights.expertLinears(projection, of: block, experts: c.experts, shape: shape)
      for (expert, weight) in found.enumerated() { list(weight, block.name(expert, projection)) }
      return found
    }
    let gates = c.form == .gated ? try projection(.gate, [c.expertInner, c.hiddenSize]) : []
    let ups = try projection(.up, [c.expertInner, c.hiddenSize])
    let downs = try projection(.down, [c.hiddenSize, c.expertInner])
    return ups.indices.map { expert in
      FeedForward(
        gate: gates.isEmpty ? nil : Linear(weight: gates[expert]), up: Linear(weight: ups[expert]),
        down: Linear(weight: downs[expert]), activation: c.activation)
    }
  }
}
