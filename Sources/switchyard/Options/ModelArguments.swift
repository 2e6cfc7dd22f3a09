import ArgumentParser
import MoECore
import MoEModels
import MoETokenizers

/// A language model and how to compute with it.
struct ModelArguments: ParsableArguments {
  @Argument(
    help:
      "Folder of a model (config.json, safetensors and tokenizer.json) or of its training run, or a GGUF file.",
    completion: .file()) var model: PathArgument
  @Option(
    help:
      "Type to compute in (default: the one that config.json names, or that of the weights; f32 for GGUF)."
  ) var dtype: WeightType?
  @OptionGroup var engine: EngineOptions

  /// Opens the model and its tokenizer, which must belong together.
  func open() throws -> (decoder: MoEDecoder, tokenizer: Tokenizer) {
    engine.apply()
    Output.warn(ofFilesAt: model.path)
    let model = try StoredModel(model.path)
    return (try model.decoder(dtype: dtype?.dtype), try model.checkedTokenizer())
  }
}
