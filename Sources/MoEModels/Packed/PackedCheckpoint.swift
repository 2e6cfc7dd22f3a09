import MoECore
import MoETensor

/// The weights of a checkpoint of which some are packed, in the form in which they are stored.
///
/// Every tensor of the checkpoint must be used, once: what a model does not ask for may be a weight that it should have
/// asked for under another name.
final class PackedCheckpoint: PartlyPackedSource {
  private let scheme: any PackedScheme
  private let tensors: PackedTensors
  let dense: CheckpointWeights

  init(
    _ store: any TensorStore, _ scheme: any PackedScheme, dtype: DType,
    activations: ActivationPrecision
  ) {
    self.scheme = scheme
    tensors = PackedTensors(store, activations: activations, dtype: dtype)
    dense = CheckpointWeights(store, .elements(dtype))
  }

  func linear(
    _ name: String, outputs: Int, inputs: Int, start: WeightStart
  ) throws -> any LinearWeight {
    guard let packed = try packed(name, [outputs, inputs]) else {
      return try weight(name, [outputs, inputs], start: start)
    }
    return packed
  }

  func expertLinears(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [any LinearWeight] {
    if let stacked = try scheme.experts(projection, of: block, experts: experts, shape, in: tensors)
    {
      return stacked
    }
    let found = try (0..<experts).map { try packed(block.name($0, projection), shape) }
    guard found.contains(where: { $0 != nil }) else {
      return try expertWeights(projection, of: block, experts: experts, shape: shape)
    }
    var result: [any LinearWeight] = []
    for (expert, packed) in found.enumerated() {
      if let packed {
        result.append(packed)
      } else {
        let name = block.name(expert, projection)
        result.append(try weight(name, shape, start: block.start(projection)))
      }
    }
    return result
  }

  private func packed(_ name: String, _ shape: [Int]) throws -> PackedWeight? {
    try scheme.weight(String(name.dropLast(".weight".count)), shape, in: tensors)
  }

  /// What is remarkable about the weights that were read.
  var notes: [String] {
    tensors.notes.sorted { $0.key < $1.key }.map {
      "\($0.key) (\(NumberText.counted($0.value, "module")))"
    }
  }

  /// Rejects tensors and settings that the model did not ask for.
  ///
  /// - Throws: ``ModelError``.
  func checkAllUsed() throws {
    let left = dense.unused.filter { !tensors.used.contains($0) }
    for name in left.sorted() where !CheckpointWeights.isIdle(name) {
      if try scheme.mayIgnore(name, in: tensors) { continue }
      throw ModelError.unknownWeight(path: tensors.store.path, name: name)
    }
    try scheme.checkAllUsed(in: tensors)
  }
}
