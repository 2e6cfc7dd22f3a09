public import MoECore
import MoETensor
public import SystemPackage

extension DiffusionTransformer {
  /// Opens a model folder (`config.json` and safetensors), the result of a training run, or a `.pt` or `.pth` file.
  ///
  /// Weights of a folder are mapped, not read, unless another type is asked for. Of a file, the running average is
  /// taken where there is one; nothing in it is executed.
  ///
  /// - Parameters:
  ///   - path: The folder or file.
  ///   - configuration: For a file, the architecture; `nil` for what its tensors show. For a folder it is not used.
  ///   - dtype: Type to compute in; `nil` for that of the checkpoint.
  /// - Returns: The model.
  /// - Throws: ``ModelError``, which says what a file holds if it is not what it should be; `SafetensorsError`,
  ///   `PickleError` or `FileError`.
  public static func open(
    _ path: FilePath, as configuration: DiffusionConfiguration? = nil, dtype: DType? = nil
  ) throws -> DiffusionTransformer {
    if ["pt", "pth"].contains(path.extension?.lowercased() ?? "") {
      let file = try DiffusionStateDictionary(path)
      let known = try configuration ?? file.configuration()
      try file.contents.check(known)
      return try DiffusionTransformer(known, weights: TypedWeights(file, dtype: dtype))
    }
    let path = try ModelLocation(path).path
    let known = try DiffusionConfiguration(ConfigurationObject(path.appending("config.json")))
    let checkpoint = try SafetensorsCheckpoint(path)
    try known.check(checkpoint)
    return try DiffusionTransformer(
      known, weights: TypedWeights(CheckpointWeights(checkpoint), dtype: dtype))
  }
}

/// The weights of a source in a type; what is no weight of training keeps its own, whose digits it needs.
private final class TypedWeights: WeightSource {
  private let source: any WeightSource
  private let dtype: DType?

  init(_ source: any WeightSource, dtype: DType?) { (self.source, self.dtype) = (source, dtype) }

  func weight(_ name: String, _ shape: [Int], start: WeightStart) throws -> Parameter {
    converted(try source.weight(name, shape, start: start), name)
  }

  func expertWeights(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [Parameter] {
    try source.expertWeights(projection, of: block, experts: experts, shape: shape)
      .map { converted($0, block.prefix) }
  }

  private func converted(_ parameter: Parameter, _ name: String) -> Parameter {
    guard let dtype, !DiffusionConfiguration.isBuffer(name), parameter.value.dtype != dtype else {
      return parameter
    }
    return Parameter(parameter.value.cast(to: dtype))
  }
}
