import MoECore
import MoETensor

/// The weights of a GGUF file, of which those in blocks stay packed where that changes no number.
final class PackedGGUF: PartlyPackedSource {
  private let model: GGUFModel
  let dense: CheckpointWeights
  private let activations: ActivationPrecision
  private let dtype: DType

  init(_ model: GGUFModel, dtype: DType, activations: ActivationPrecision) {
    (self.model, self.dtype, self.activations) = (model, dtype, activations)
    dense = CheckpointWeights(model, .elements(dtype))
  }

  func linear(
    _ name: String, outputs: Int, inputs: Int, start: WeightStart
  ) throws -> any LinearWeight {
    if let packed = try packed(name, [outputs, inputs]) { return packed }
    let weight = try dense.weight(name, [outputs, inputs], start: start)
    // Plain elements stay in the mapped file, unread.
    if model.header(named: name)?.dtype == nil, !weight.value.isAllFinite {
      throw failure(name, "a number in it is infinite or not a number; the file is damaged")
    }
    return weight
  }

  private func failure(_ name: String, _ problem: String) -> ModelError {
    let stored = model.weight(named: name)?.tensor.name ?? name
    return .wrongPackedWeight(path: model.path, name: stored, problem: problem)
  }

  func expertLinears(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [any LinearWeight] {
    try (0..<experts).map {
      try linear(
        block.name($0, projection), outputs: shape[0], inputs: shape[1],
        start: block.start(projection))
    }
  }

  private func packed(_ name: String, _ shape: [Int]) throws -> PackedWeight? {
    // Wrong shapes and missing names are reported by the dense way.
    guard model.weight(named: name)?.shape == shape else { return nil }
    do {
      return try model.packed(name, activations: activations, dtype: dtype)
    } catch let error as PackedWeightError {
      throw failure(name, "\(error)")
    }
  }
}
