import MoECore
import MoETensor

/// The weights of a GGUF file in one type.
///
/// Files mix types, and blocks are no type to compute in, so weights are converted as they are asked for.
final class GGUFWeights: WeightSource {
  private let model: LlamaGGUF
  /// Type of all weights; `nil` to check names and shapes only and give empty tensors.
  private let dtype: DType?
  private(set) var used: Set<String> = []

  init(_ model: LlamaGGUF, dtype: DType?) { (self.model, self.dtype) = (model, dtype) }

  /// Names of tensors that no part of the model asked for.
  var unused: [String] { model.names.filter { !used.contains($0) } }

  func weight(_ name: String, _ shape: [Int], start: WeightStart) throws -> Parameter {
    guard let entry = model.entry(named: name) else {
      throw ModelError.missingWeight(path: model.file.path, name: name)
    }
    guard entry.shape == shape else {
      throw ModelError.wrongShape(
        path: model.file.path, name: name, found: entry.shape, expected: shape)
    }
    used.insert(name)
    guard let dtype else { return Parameter(Tensor.zeros([0])) }
    return Parameter(try model.tensor(named: name).cast(to: dtype))
  }

  func expertWeights(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [Parameter] {
    try (0..<experts).map {
      try weight(block.name($0, projection), shape, start: block.start(projection))
    }
  }
}
