public import MoETokenizers
public import MoECore
public import MoETensor
public import SystemPackage

/// An encoder on disk: a folder with `config.json`, safetensors and `tokenizer.json`, as transformers saves them.
public struct StoredEncoder {
  /// The folder.
  public let path: FilePath
  /// The architecture; its pooling may be chosen.
  public var configuration: EncoderConfiguration
  private let checkpoint: SafetensorsCheckpoint

  /// Opens a folder.
  ///
  /// - Throws: ``ModelError``, `SafetensorsError` or `FileError`.
  public init(_ path: FilePath) throws {
    let path = try ModelLocation(path).path
    self.path = path
    configuration = try EncoderConfiguration(ConfigurationObject(path.appending("config.json")))
    checkpoint = try SafetensorsCheckpoint(path)
  }

  /// The encoder with its weights.
  ///
  /// - Parameters:
  ///   - dtype: Type to compute in.
  ///   - device: Where to compute.
  /// - Returns: The encoder.
  /// - Throws: ``ModelError`` when a weight is missing or has another shape.
  public func encoder(dtype: DType = .f32, device: Device = .cpu) throws -> any TextEncoder {
    try configuration.encoder(
      weights: EncoderWeights(checkpoint, dtype: dtype, device: device))
  }

  /// The tokenizer beside the weights.
  ///
  /// - Throws: ``TokenizerError``, ``ModelError`` when it has more tokens than the encoder, or `FileError`.
  public func tokenizer() throws -> Tokenizer {
    let tokenizer = try Tokenizer(path)
    guard tokenizer.vocabularyCount <= configuration.vocabularySize else {
      throw ConfigurationError.invalidValue(
        path: path.appending("config.json"), key: "vocab_size",
        value: "\(configuration.vocabularySize)",
        expected: "at least \(tokenizer.vocabularyCount), the tokens of the tokenizer")
    }
    return tokenizer
  }

  /// What tells encoders apart: a hash of all weights' bytes and the configuration.
  ///
  /// - Complexity: O(bytes).
  public func identity() throws -> String {
    var hash = XXHash64()
    for shard in checkpoint.shards {
      shard.file.withBytes { hash.update($0) }
    }
    let text = "\(configuration) \(hash.value)"
    return SHA256.hexadecimal(of: Array(text.utf8))
  }
}

/// The weights of an encoder's checkpoint, whatever stands before their names, and under the names that old
/// checkpoints have for those of normalizations.
final class EncoderWeights: WeightSource {
  private let checkpoint: SafetensorsCheckpoint
  private let source: CheckpointWeights
  private let prefix: String
  private let device: Device

  /// Finds what stands before the names, unless it is given.
  init(
    _ checkpoint: SafetensorsCheckpoint, dtype: DType?, device: Device = .cpu, prefix: String? = nil
  ) {
    (self.checkpoint, self.device) = (checkpoint, device)
    source = CheckpointWeights(checkpoint, dtype: dtype)
    let first = "embeddings.word_embeddings.weight"
    self.prefix =
      prefix ?? ["", "bert.", "distilbert."].first { checkpoint.contains($0 + first) } ?? ""
  }

  func weight(_ name: String, _ shape: [Int], start: WeightStart) throws -> Parameter {
    var name = prefix + name
    if !checkpoint.contains(name) {
      let old = name.replacing("LayerNorm.weight", with: "LayerNorm.gamma")
        .replacing("LayerNorm.bias", with: "LayerNorm.beta")
      if checkpoint.contains(old) { name = old }
    }
    let weight = try source.weight(name, shape, start: start)
    return device == .cpu ? weight : Parameter(weight.value.moved(to: device))
  }

  func expertWeights(
    _ projection: ExpertProjection, of block: ExpertBlock, experts: Int, shape: [Int]
  ) throws -> [Parameter] {
    try source.expertWeights(projection, of: block, experts: experts, shape: shape)
  }
}
