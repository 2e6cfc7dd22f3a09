import MoERouting
public import MoETensor

extension DiffusionTransformer {
  /// The same as a call for training, but the activations inside blocks are recomputed in the
  /// backward pass instead of being kept: less memory for about a third more time.
  ///
  /// - Parameters:
  ///   - images: Shape `[batch, channels, rows, columns]`.
  ///   - times: Of each image, from 0 to 1000, f32, shape `[batch]`.
  ///   - labels: Of each image.
  /// - Returns: The prediction and what the sparse blocks did.
  /// - Throws: `TensorError` when the engine cannot record a block.
  public func recomputing(_ images: Tensor, times: Tensor, labels: [Int]) throws -> Output {
    let known = known(labels)
    let (start, condition) = embed(images, times: times, labels: labels)
    var hidden = start
    var sparse: [DiffusionExperts.Output] = []
    for block in blocks {
      let prefix = "blocks.\(block.place)."
      let weights = parameters.filter { $0.name.hasPrefix(prefix) }.map(\.parameter)
      var routed: DiffusionExperts.Output?
      let results = try recomputed([hidden, condition], parameters: weights) { inputs in
        let output = block(inputs[0], condition: inputs[1], labels: known, pass: .training)
        guard let found = output.routed else { return [output.hidden] }
        // The choice is the same both times; only the first is counted.
        if routed == nil { routed = found.detached }
        return [output.hidden] + found.routed.forLosses
      }
      hidden = results[0]
      if var found = routed {
        // Losses must use the recorded results, not the detached ones of the first pass.
        found.routed.forLosses = Array(results.dropFirst())
        sparse.append(found)
      }
    }
    return Output(prediction: finished(hidden, condition: condition), sparse: sparse)
  }
}

extension DiffusionExperts.Output {
  /// The same, detached from the autograd graph.
  fileprivate var detached: Self {
    var result = self
    (result.hidden, result.routing) = (hidden.detached(), routing.detached)
    result.routed.routing = routed.routing.detached
    result.routed.forLosses = result.routed.forLosses.map { $0.detached() }
    return result
  }
}
