import MoECore
import MoETensor

/// Weights of which linear layers may be packed; all others come from a dense source.
protocol PartlyPackedSource: WeightSource {
  /// The source of everything that is not packed.
  var dense: CheckpointWeights { get }
}

extension PartlyPackedSource {
  func weight(_ name: String, _ shape: [Int], start: WeightStart) throws -> Parameter {
    try dense.weight(name, shape, start: start)
  }

  func expertWeights(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [Parameter] {
    try dense.expertWeights(projection, of: block, experts: experts, shape: shape)
  }
}
