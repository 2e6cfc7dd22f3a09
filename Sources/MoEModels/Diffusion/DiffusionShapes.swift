import MoETensor

extension DiffusionConfiguration {
  /// The number of parameters, positions included; thresholds and centroids do not count.
  ///
  /// - Returns: All of them, and those that are active for one token of an image with a label; the
  ///   average if experts choose.
  /// - Throws: `SettingError` for a rule that does not fit the configuration.
  public func parameterCount() throws -> (all: Int, active: Int) {
    let all = try tensorShapes().filter { !Self.isBuffer($0.name) || $0.name == "pos_embed" }
      .reduce(0) { $0 + $1.shape.reduce(1, *) }
    guard let experts else { return (all, all) }
    let idle = experts.listed - experts.perToken
    let expert = experts.size * (2 * hiddenSize + 1) + hiddenSize
    return (all, all - idle * expert * sparseBlocks.count)
  }

  /// The tensors of a checkpoint of this architecture, including buffers, in the order of the
  /// model.
  ///
  /// - Throws: `SettingError` for a rule that does not fit the configuration.
  public func tensorShapes() throws -> [(name: String, shape: [Int])] {
    let recorder = CountedWeights()
    _ = try DiffusionTransformer(self, weights: recorder)
    return recorder.shapes
  }

  /// Whether a tensor of this name is not a trained weight.
  package static func isBuffer(_ name: String) -> Bool {
    name.hasSuffix("pos_embed") || DiffusionRules.isBuffer(name)
  }
}
