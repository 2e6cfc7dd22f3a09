import MoETensor

/// The weights of a feed-forward expert whose matrices are all dense, found once.
struct DenseExpert {
  /// Absent in the plain form.
  let gate: Parameter?
  let up: Parameter
  let down: Parameter
  let upBias: Parameter?
  let downBias: Parameter?

  /// Takes the weights of a network; `nil` if one is not dense.
  init?(_ network: FeedForward) {
    guard let up = network.up.denseWeight, let down = network.down.denseWeight,
      network.gate == nil || network.gate?.denseWeight != nil
    else { return nil }
    (gate, self.up, self.down) = (network.gate?.denseWeight, up, down)
    (upBias, downBias) = (network.up.bias, network.down.bias)
  }

  /// The matrices, then the biases.
  var values: [Tensor] { [gate, up, down, upBias, downBias].compactMap { $0?.value } }
}
