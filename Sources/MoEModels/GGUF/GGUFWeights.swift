import MoECore
import MoETensor

/// The weights of a GGUF file, converted to one type.
///
/// Files mix types, and quantized blocks cannot be used directly, so weights are converted on
/// request.
final class GGUFWeights: WeightSource {
  private let model: LlamaGGUF
  /// The type of all weights; `nil` to check only names and shapes and return empty tensors.
  private let dtype: DType?
  private(set) var used: Set<String> = []

  init(_ model: LlamaGGUF, dtype: DType?) { (self.model, self.dtype) = (model, dtype) }

  /// Names of tensors that the model did not request.
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
