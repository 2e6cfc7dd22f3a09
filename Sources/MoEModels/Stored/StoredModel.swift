public import MoETokenizers
public import MoECore
import MoETensor
public import SystemPackage

/// A language model on disk: a folder in the Hugging Face layout, or a GGUF file.
///
/// Headers are read and checked when it is opened; weights on demand.
public struct StoredModel {
  /// The folder or file.
  public let path: FilePath
  /// Its architecture.
  public let configuration: DecoderConfiguration
  let names: WeightNames
  /// The contents of `config.json`, or the equivalent for a GGUF file.
  let json: ConfigurationObject
  private let storage: Storage

  private enum Storage {
    case folder(DecoderTensors)
    case packed(DecoderTensors, any PackedScheme)
    case gguf(GGUFModel)
  }

  /// Opens a folder with `config.json` and safetensors, a GGUF file, or the result of a training run.
  ///
  /// - Throws: ``ModelError``, `ConfigurationError`, `SafetensorsError`, `GGUFError` or `FileError`.
  public init(_ path: FilePath) throws {
    let location = try ModelLocation(path)
    // An unknown kind leads to the error below that lists the known families.
    if let kind = location.kind, !LanguageModels.holds(location) {
      throw ModelError.otherKind(
        path: location.path, found: kind.title, expected: LanguageModels.title)
    }
    let path = location.path
    self.path = path
    if GGUFFile.isGGUF(path) {
      let model = try GGUFModel(try GGUFFile(path))
      storage = .gguf(model)
      names = model.family.names
      json = model.configuration
      configuration = try model.family.configuration(json)
      try model.check(configuration)
    } else {
      json = try ConfigurationObject(path.appending(ModelLocation.configuration))
      let family = try DecoderFamilies.family(of: json)
      names = family.names
      var configuration = try family.configuration(json)
      if let tokens = try Self.endTokens(in: path) { configuration.endTokens = tokens }
      self.configuration = configuration
      let tensors = DecoderTensors(try SafetensorsCheckpoint(path), of: names)
      let scheme = try PackedSchemes.scheme(of: json)
      storage = scheme.map { .packed(tensors, $0) } ?? .folder(tensors)
    }
  }

  /// The model with its weights.
  ///
  /// - Parameter dtype: Data type to compute in; `nil` for the one that the configuration names, else
  ///   that of the checkpoint; f32 for a GGUF file, and for packed weights.
  /// - Returns: The model.
  /// - Throws: As ``init(_:)``.
  public func decoder(dtype: DType? = nil) throws -> MoEDecoder {
    try decoder(as: WeightForm(dtype: dtype))
  }

  /// The model with its weights in some form.
  ///
  /// - Parameter form: Type and packing.
  /// - Returns: The model.
  /// - Throws: As ``init(_:)``; ``ModelError/alreadyPacked(path:)`` and ``WeightRoundingError`` for packing.
  public func decoder(as form: WeightForm) throws -> MoEDecoder {
    if let packing = form.packing {
      guard !isPacked else { throw ModelError.alreadyPacked(path: path) }
      let source = RoundedWeights(
        store, packing, dtype: form.dtype ?? .f32, activations: form.activations)
      let model = try decoder(source, form)
      try source.checkAllUsed()
      return model
    }
    if case .gguf(let model) = storage {
      return try decoder(
        PackedGGUF(model, dtype: form.dtype ?? .f32, activations: form.activations), form)
    }
    guard case .packed(let tensors, let scheme) = storage else {
      return try MoEDecoder(
        configuration, names: names, weights: weights(dtype: form.dtype ?? computedType()))
    }
    let source = PackedCheckpoint(
      tensors, scheme, dtype: form.dtype ?? .f32, activations: form.activations)
    let model = try decoder(source, form)
    try source.checkAllUsed()
    source.notes.forEach(form.note)
    return model
  }

  private func decoder(_ source: any WeightSource, _ form: WeightForm) throws -> MoEDecoder {
    let weights = form.transform.map { TransformedWeights(source, $0) } ?? source
    return try MoEDecoder(configuration, names: names, weights: weights)
  }

  /// Whether weights are stored as codes of a few bits.
  public var isPacked: Bool {
    switch storage {
    case .folder: false
    case .packed: true
    case .gguf(let model): model.file.tensors.contains { $0.type.dtype == nil }
    }
  }

  /// The linear layers, in the order of the model.
  ///
  /// - Throws: As `MoEDecoder.init(_:names:weights:banks:)`.
  public func linearModules() throws -> [LinearModule] {
    let source = LinearModules(path)
    _ = try MoEDecoder(configuration, names: names, weights: source)
    return source.modules { ModuleKind(of: $0, names: names) }
  }

  /// The tokenizer next to the weights, or inside the file.
  ///
  /// - Throws: `TokenizerError`, `GGUFError` or `FileError`.
  public func tokenizer() throws -> Tokenizer { try Tokenizer(path) }

  /// The tokenizer, after a check that the model knows all of its tokens.
  ///
  /// - Throws: ``ModelError/otherTokenizer(path:tokens:vocabulary:)``; as ``tokenizer()``.
  public func checkedTokenizer() throws -> Tokenizer {
    let tokenizer = try tokenizer()
    guard tokenizer.vocabularyCount <= configuration.vocabularySize else {
      throw ModelError.otherTokenizer(
        path: path, tokens: tokenizer.vocabularyCount, vocabulary: configuration.vocabularySize)
    }
    return tokenizer
  }

  /// The GGUF file, if it is one.
  var ggufFile: GGUFFile? {
    if case .gguf(let model) = storage { model.file } else { nil }
  }

  /// The weights in a type, whatever types they are stored in.
  package func weights(dtype: DType) -> any WeightSource {
    CheckpointWeights(store, .elements(dtype))
  }

  /// The weights in the types in which they are stored.
  func storedSource() -> CheckpointWeights { CheckpointWeights(store, .elements(nil)) }

  /// Rejects tensors that a source was not asked for.
  func refuseUnused(by source: CheckpointWeights) throws {
    try CheckpointWeights.refuse(Set(source.unused), in: store)
  }

  private var store: any TensorStore {
    switch storage {
    case .folder(let tensors), .packed(let tensors, _): tensors
    case .gguf(let model): model
    }
  }

  /// The type to compute in, as transformers determines it: the one that the configuration names, else the type of the
  /// first weight; f32 for a GGUF file.
  private func computedType() throws -> DType {
    switch storage {
    case .folder(let tensors): try json.computedType() ?? tensors.checkpoint.firstType ?? .f32
    case .packed: .f32
    case .gguf: .f32
    }
  }

  /// A tensor under its name in checkpoints, in the type in which it is stored.
  func tensor(named name: String) throws -> Tensor { try store.tensor(named: name) }

  /// The type to compute in, or the type of most weights of a GGUF file; f32 for one with quantized blocks.
  package func storedType() throws -> DType {
    guard case .gguf(let model) = storage else { return try computedType() }
    return model.header(named: "model.layers.0.self_attn.q_proj.weight")?.dtype ?? .f32
  }

  /// What is known about one weight without reading it.
  struct WeightHeader {
    var name: String
    var shape: [Int]
    /// Name of the type, in the file format's spelling.
    var type: String
    var bytes: Int
    /// Inputs that share a scale, in packed weights.
    var group: Int?
    var count: Int { shape.reduce(1, *) }
    var format: String { type + (group.map { ", groups of \($0)" } ?? "") }
  }

  /// All weights of the architecture, and the names of tensors that are not part of it.
  ///
  /// - Throws: ``ModelError`` when a weight is missing or has another shape.
  func inventory() throws -> (weights: [WeightHeader], unused: [String]) {
    switch storage {
    case .folder(let tensors):
      let source = CheckpointWeights(tensors, .elements(nil))
      let model = try MoEDecoder(configuration, names: names, weights: source)
      let weights = model.parameters.map { named in
        let value = named.parameter.value
        return WeightHeader(
          name: named.name, shape: value.shape, type: value.dtype.rawValue,
          bytes: value.byteCount.bytes)
      }
      return (weights, source.unused)
    case .packed(let tensors, let scheme): return try packedInventory(tensors, scheme)
    case .gguf(let gguf):
      let source = CheckpointWeights(gguf, .headers)
      let model = try MoEDecoder(configuration, names: names, weights: source)
      let weights = model.parameters.compactMap { named in
        gguf.weight(named: named.name).map {
          WeightHeader(
            name: named.name, shape: $0.shape, type: $0.tensor.type.description.lowercased(),
            bytes: $0.bytes)
        }
      }
      return (weights, source.unused)
    }
  }
}
