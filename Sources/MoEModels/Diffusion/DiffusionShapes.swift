import MoETensor

extension DiffusionConfiguration {
  /// Numbers in all weights, positions included; thresholds and centroids are no weights.
  ///
  /// - Returns: All of them, and those that work on one token of an image with a label; where experts choose, on
  ///   average.
  public func parameterCount() -> (all: Int, active: Int) {
    let all = tensorShapes().filter { !Self.isBuffer($0.name) || $0.name == "pos_embed" }
      .reduce(0) { $0 + $1.shape.reduce(1, *) }
    guard let experts else { return (all, all) }
    let idle = experts.listed - experts.perToken
    let expert = experts.size * (2 * hiddenSize + 1) + hiddenSize
    return (all, all - idle * expert * sparseBlocks.count)
  }

  /// The tensors of a checkpoint of this architecture, buffers included, in the order of the model.
  public func tensorShapes() -> [(name: String, shape: [Int])] {
    let recorder = CountedWeights()
    do {
      _ = try DiffusionTransformer(self, weights: recorder)
    } catch {
      // Sources throw, and this one does not; routers of a checked configuration exist.
      preconditionFailure("no model of \(title): \(error)")
    }
    return recorder.shapes
  }

  /// Whether a tensor of this name is no weight that gradients change.
  static func isBuffer(_ name: String) -> Bool {
    name.hasSuffix("pos_embed") || DiffusionRules.isBuffer(name)
  }
}
