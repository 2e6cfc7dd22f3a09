public import MoETokenizers
public import MoECore
public import MoETensor
public import SystemPackage

/// An encoder on disk: a folder with `config.json`, safetensors and `tokenizer.json`, as saved by
/// transformers.
public struct StoredEncoder {
  /// The folder.
  public let path: FilePath
  /// The architecture; its pooling may be changed.
  public var configuration: EncoderConfiguration
  private let checkpoint: SafetensorsCheckpoint

  /// Opens a folder.
  ///
  /// - Throws: ``ModelError``, `ConfigurationError`, `SafetensorsError` or `FileError`.
  public init(_ path: FilePath) throws {
    let path = try ModelLocation(path).path
    self.path = path
    configuration = try EncoderConfiguration(ConfigurationObject(path.appending("config.json")))
    checkpoint = try SafetensorsCheckpoint(path)
  }

  /// The encoder with its weights.
  ///
  /// - Parameters:
  ///   - dtype: The type to compute in.
  ///   - device: The device to compute on.
  /// - Returns: The encoder.
  /// - Throws: ``ModelError`` if a weight is missing or has the wrong shape.
  public func encoder(dtype: DType = .f32, device: Device = .cpu) throws -> any TextEncoder {
    try configuration.encoder(
      weights: checkpoint.encoderWeights(dtype: dtype, on: device))
  }

  /// The tokenizer in the same folder.
  ///
  /// - Throws: `TokenizerError`, `ConfigurationError` if it has more tokens than the encoder, or
  ///   `FileError`.
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

  /// An identifier of the encoder: a hash of all weights' bytes and the configuration.
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

extension SafetensorsCheckpoint {
  /// The weights of an encoder, with any prefix of their names, and with old checkpoints' names of
  /// normalization weights.
  ///
  /// - Parameters:
  ///   - dtype: The type to compute in.
  ///   - device: The device to compute on.
  /// - Returns: A source under the encoder's own names.
  func encoderWeights(dtype: DType?, on device: Device = .cpu) -> MappedWeights {
    let first = "embeddings.word_embeddings.weight"
    let prefix = ["", "bert.", "distilbert."].first { contains($0 + first) } ?? ""
    return encoderWeights(CheckpointWeights(self, dtype: dtype), prefix: prefix, on: device)
  }

  /// The weights of an encoder among those of this checkpoint.
  ///
  /// - Parameters:
  ///   - source: Reads this checkpoint.
  ///   - prefix: The prefix of the names.
  ///   - device: The device to compute on.
  /// - Returns: A source under the encoder's own names.
  func encoderWeights(
    _ source: any WeightSource, prefix: String, on device: Device = .cpu
  ) -> MappedWeights {
    MappedWeights(
      source,
      renaming: { [self] name in
        let name = prefix + name
        let old = name.replacing("LayerNorm.weight", with: "LayerNorm.gamma")
          .replacing("LayerNorm.bias", with: "LayerNorm.beta")
        return !contains(name) && contains(old) ? old : name
      }, converting: { device == .cpu ? $1 : $1.moved(to: device) })
  }
}
