public import MoECore
import MoETensor
public import SystemPackage

extension DiffusionTransformer {
  /// Opens a model folder (`config.json` and safetensors), the result of a training run, or a `.pt` or `.pth` file.
  ///
  /// Weights of a folder are mapped, not read, unless another type is requested. From a file, the
  /// running average is used if there is one; nothing in the file is executed.
  ///
  /// - Parameters:
  ///   - path: The folder or file.
  ///   - configuration: For a file, the architecture; `nil` to derive it from the tensors. Not used
  ///     for a folder.
  ///   - dtype: Data type to compute in; `nil` for the one that `config.json` names, else that of the checkpoint's first
  ///     weight.
  /// - Returns: The model.
  /// - Throws: ``ModelError``, which says what a file holds if it is not what it should be;
  ///   `ConfigurationError`, `SafetensorsError`, `PickleError` or `FileError`.
  public static func open(
    _ path: FilePath, as configuration: DiffusionConfiguration? = nil, dtype: DType? = nil
  ) throws -> DiffusionTransformer {
    if ["pt", "pth"].contains(path.extension?.lowercased() ?? "") {
      let file = try DiffusionStateDictionary(path)
      let known = try configuration ?? file.configuration()
      try file.contents.check(known)
      return try DiffusionTransformer(known, weights: weights(of: file, in: dtype))
    }
    let path = try ModelLocation(path).path
    let json = try ConfigurationObject(path.appending("config.json"))
    let known = try DiffusionConfiguration(json)
    let checkpoint = try SafetensorsCheckpoint(path)
    try known.check(checkpoint)
    return try DiffusionTransformer(
      known, weights: weights(of: checkpoint, in: dtype ?? json.computedType()))
  }
}

extension DiffusionTransformer {
  /// The weights in one type, by default that of the first of them; buffers keep theirs, whose precision they need.
  private static func weights(of store: some TensorStore, in dtype: DType?) -> MappedWeights {
    let first = store.names.sorted().lazy.filter { !DiffusionConfiguration.isBuffer($0) }
      .compactMap { store.header(named: $0)?.dtype }.first(where: DType.computable.contains)
    return MappedWeights(
      CheckpointWeights(store, .elements(nil)),
      converting: { name, weight in
        guard let dtype = dtype ?? first, !DiffusionConfiguration.isBuffer(name) else {
          return weight
        }
        return weight.cast(to: dtype)
      })
  }
}
