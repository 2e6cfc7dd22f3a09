import MoEData
import MoETokenizers
import ArgumentParser
import MoECore
import MoEModels
import MoETensor
import MoETraining
import SystemPackage

/// A model and how to compute with it.
struct ModelArguments: ParsableArguments {
  @Argument(
    help: "Folder of the model (config.json, safetensors and tokenizer.json), or a GGUF file.",
    completion: .file()) var model: PathArgument
  @Option(help: "Type to compute in (default: that of the checkpoint; f32 for GGUF).") var dtype:
    WeightType?
  @OptionGroup var engine: EngineOptions

  init() {}

  /// What another command has read.
  init(_ model: PathArgument, dtype: WeightType?, engine: EngineOptions) {
    (self.model, self.dtype, self.engine) = (model, dtype, engine)
  }

  /// Opens the model.
  func open() throws -> MoEDecoder {
    if let threads = engine.threads { Engine.threadCount = threads }
    return try MoEDecoder.open(model.path, dtype: dtype?.dtype)
  }

  /// Opens the tokenizer beside the model and checks that the two belong together.
  func tokenizer(for decoder: MoEDecoder) throws -> Tokenizer {
    let tokenizer = try Tokenizer(model.path)
    let vocabulary = decoder.configuration.vocabularySize
    guard tokenizer.vocabularyCount <= vocabulary else {
      throw Mismatch(tokenizer: tokenizer.vocabularyCount, model: vocabulary)
    }
    return tokenizer
  }

  struct Mismatch: Error, CustomStringConvertible {
    var tokenizer: Int
    var model: Int
    var description: String {
      "the tokenizer knows \(tokenizer) tokens, but the model only \(model); use the tokenizer that belongs to the model"
    }
  }
}

/// The text of a file, which must be UTF-8.
///
/// - Throws: `DataError` that names the line, or a `FileError`.
func readText(_ path: FilePath) throws -> String {
  String(decoding: try path.textBytes(), as: UTF8.self)
}

/// A file that does not hold the text that is needed.
struct TextError: Error, CustomStringConvertible {
  var path: FilePath
  var problem: String
  var description: String { "\(path) \(problem)".printable }
}
