import ArgumentParser
import MoECore
import MoEModels
import MoEQuantization
import MoETensor
import MoETokenizers
import SystemPackage

/// A language model and how to compute with it.
struct ModelArguments: ParsableArguments {
  @Argument(
    help:
      "Folder of a model (config.json, safetensors and tokenizer.json) or of its training run, or a GGUF file.",
    completion: .file()) var model: PathArgument
  @OptionGroup var weights: WeightOptions

  var quantization: QuantizationOptions { weights.quantization }
  var engine: EngineOptions { weights.engine }

  /// Opens the model and its tokenizer; see ``WeightOptions/open(_:activations:products:checking:)``.
  func open(
    activations: ActivationPrecision = .automatic, products: ProductsOption? = nil,
    checking check: (StoredModel, Tokenizer) throws -> Void = { _, _ in }
  ) throws -> (decoder: MoEDecoder, tokenizer: Tokenizer) {
    try weights.open(
      model.path, activations: activations, products: products, checking: check)
  }

  /// In which form the weights are opened.
  func form(
    of model: StoredModel, activations: ActivationPrecision = .automatic, _ progress: ProgressLine
  ) throws -> WeightForm {
    try weights.form(of: model, activations: activations, progress)
  }
}

/// How to compute with a language model.
struct WeightOptions: ParsableArguments {
  @Option(
    help:
      "Type to compute in (default: the one that config.json names, or that of the weights; f32 for GGUF and for quantized weights)."
  ) var dtype: WeightType?
  @OptionGroup var quantization: QuantizationOptions
  @OptionGroup var engine: EngineOptions

  /// The same for a model that is compared with, which is not quantized.
  var plain: WeightOptions {
    var plain = self
    plain.quantization.quantize = nil
    return plain
  }

  /// Opens a model and its tokenizer, which must belong together.
  ///
  /// - Parameters:
  ///   - path: The model.
  ///   - activations: How generation rounds what packed weights meet.
  ///   - products: How products of packed weights are computed; `nil` as the runtime does.
  ///   - check: Looks at the model and its tokenizer before weights are read, which may take long.
  /// - Returns: The model and its tokenizer.
  /// - Throws: What opening them throws, or `check`.
  func open(
    _ path: FilePath, activations: ActivationPrecision = .automatic,
    products: ProductsOption? = nil,
    checking check: (StoredModel, Tokenizer) throws -> Void = { _, _ in }
  ) throws -> (decoder: MoEDecoder, tokenizer: Tokenizer) {
    engine.apply()
    Output.warn(ofFilesAt: path)
    let model = try StoredModel(path)
    let tokenizer = try model.checkedTokenizer()
    try check(model, tokenizer)
    let progress = ProgressLine()
    defer { progress.end() }
    let form = try form(of: model, activations: activations, progress)
    return (try model.decoder(as: products?.applied(to: form) ?? form), tokenizer)
  }

  /// In which form the weights are opened.
  func form(
    of model: StoredModel, activations: ActivationPrecision = .automatic, _ progress: ProgressLine
  ) throws -> WeightForm {
    var form = try quantization.form(dtype: dtype?.dtype, progress) { try model.linearModules() }
    form.activations = activations
    return form
  }
}

/// Which weights are quantized while they are read.
struct QuantizationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Quantize dense weights while they are read: bits of the experts, such as 4, or bits by kind, such as attention=8,experts=3, or a JSON file with rules; see 'switchyard help quantize'.",
      valueName: "bits")
  ) var quantize: String?

  func validate() throws {
    if let quantize { try BitMap.check(quantize, flag: "--quantize") }
  }

  /// In which form the weights of a model are opened.
  ///
  /// - Parameters:
  ///   - dtype: The type to compute in.
  ///   - progress: Shows how far packing is.
  ///   - modules: The model's linear layers.
  /// - Returns: The form.
  /// - Throws: `SettingError` if the option does not fit the model.
  func form(
    dtype: DType? = nil, _ progress: ProgressLine, modules: () throws -> [LinearModule]
  ) throws -> WeightForm {
    let packing = try quantize.map { text in
      let plan = try SettingError.renaming(["bits": "--quantize"]) {
        try BitMap.named(by: text, flag: "--quantize").plan(for: modules())
      }
      for note in plan.notes { Output.message("note: \(note)") }
      return WeightPacking(plan.formats, progress: progress.show)
    }
    return WeightForm(
      dtype: dtype, packing: packing,
      note: { Output.message("note: \($0)") })
  }
}

/// How measurements compute products of quantized weights.
struct ProductsOption: ParsableArguments {
  enum Name: String, CaseIterable, ExpressibleByArgument {
    case exact, runtime
  }

  @Option(
    help:
      "How products of quantized weights are computed: exact unpacks them to f32, with the same digits on every processor of a kind; runtime computes as prompts are read by 'generate', in bf16 where the processor multiplies it."
  ) var products = Name.exact

  /// The form with products as they are asked for.
  func applied(to form: WeightForm) -> WeightForm {
    products == .exact ? form.unpacked : form
  }
}

/// How text generation computes products of quantized weights.
struct RoundingOption: ParsableArguments {
  @Option(
    help:
      "How generation rounds the numbers that quantized weights meet: auto (16 bits, 8 for weights of 2 and 3), exact (16) or int8."
  ) var activations = ActivationsName.auto

  var precision: ActivationPrecision { activations.precision }
}

/// How generation rounds the numbers that quantized weights meet.
enum ActivationsName: String, CaseIterable, ExpressibleByArgument {
  case auto, exact, int8

  var precision: ActivationPrecision {
    switch self {
    case .auto: .automatic
    case .exact: .exact
    case .int8: .int8
    }
  }
}

extension BitMap {
  /// Refuses words that mean nothing as wrong usage; a file is read later.
  static func check(_ text: String, flag: String) throws {
    guard !text.hasSuffix(".json") else { return }
    do { _ = try named(by: text, flag: flag) } catch { throw ValidationError("\(error).") }
  }

  /// Reads a map that an option gives: words, or a file.
  ///
  /// - Throws: `SettingError` with the option's name; as ``BitMap/init(_:)``.
  static func named(by text: String, flag: String, group: Int = 64) throws -> BitMap {
    if text.hasSuffix(".json"), let path = PathArgument(argument: text)?.path {
      return try BitMap(path, group: group)
    }
    return try SettingError.renaming(["bits": flag]) { try BitMap(parsing: text, group: group) }
  }
}
