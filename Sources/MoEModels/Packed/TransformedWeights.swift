import MoETensor

/// The weights of another source, with another form of those that are packed.
final class TransformedWeights: WeightSource {
  private let source: any WeightSource
  private let transform: (_ name: String, PackedWeight) -> any LinearWeight

  init(
    _ source: any WeightSource,
    _ transform: @escaping (_ name: String, PackedWeight) -> any LinearWeight
  ) {
    (self.source, self.transform) = (source, transform)
  }

  func weight(_ name: String, _ shape: [Int], start: WeightStart) throws -> Parameter {
    try source.weight(name, shape, start: start)
  }

  func expertWeights(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [Parameter] {
    try source.expertWeights(projection, of: block, experts: experts, shape: shape)
  }

  func linear(
    _ name: String, outputs: Int, inputs: Int, start: WeightStart
  ) throws -> any LinearWeight {
    let found = try source.linear(name, outputs: outputs, inputs: inputs, start: start)
    return (found as? PackedWeight).map { transform(name, $0) } ?? found
  }

  func expertLinears(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [any LinearWeight] {
    let found = try source.expertLinears(projection, of: block, experts: experts, shape: shape)
    return found.enumerated().map { expert, weight in
      (weight as? PackedWeight).map { transform(block.name(expert, projection), $0) } ?? weight
    }
  }
}
