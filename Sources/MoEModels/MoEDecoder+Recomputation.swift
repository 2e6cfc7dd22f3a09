import MoERouting
public import MoETensor

extension MoEDecoder {
  /// The same as a call, but the activations inside layers are recomputed in the backward pass
  /// instead of being kept: less memory for about a third more time.
  ///
  /// - Parameter tokens: Token ids, i64, shape `[batch, positions]`.
  /// - Returns: The logits and what the sparse layers did.
  /// - Throws: `TensorError` when the engine cannot record a layer.
  /// - Precondition: The router does not draw random numbers.
  public func recomputing(_ tokens: Tensor) throws -> Output {
    try run(tokens, in: wholeSequences(tokens, as: nil), .all) { layer, hidden, context in
      let prefix = "model.layers.\(layer.place)."
      let weights = parameters.filter { $0.name.hasPrefix(prefix) }.map(\.parameter)
      var routed: MoELayer.Output?
      let results = try recomputed([hidden], parameters: weights) { inputs in
        let output = layer(inputs[0], in: context)
        guard let sparse = output.routed else { return [output.hidden] }
        // The choice is the same both times; only the first is counted.
        if routed == nil { routed = sparse.detached }
        return [output.hidden, sparse.routing.probabilities, sparse.logits]
      }
      guard var found = routed else { return (results[0], nil) }
      // Losses must use the recorded results, not the detached ones of the first pass.
      (found.routing.probabilities, found.logits) = (results[1], results[2])
      return (results[0], found)
    }
  }

  /// Whether ``recomputing(_:)`` is possible.
  public var canRecompute: Bool { configuration.router?.drawsRandomNumbers != true }
}
