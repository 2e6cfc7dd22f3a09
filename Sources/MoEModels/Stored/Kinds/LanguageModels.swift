import MoECore
import MoETokenizers
public import SystemPackage

/// Language models of any family: a folder in the Hugging Face layout, or a GGUF file.
public enum LanguageModels: ModelKind {
  /// A description of such a model.
  public static let title = "a language model"

  /// The registered families.
  public static var modelTypes: [String] { DecoderFamilies.registry.names }

  /// Whether the model is a GGUF file or of a registered family.
  public static func holds(_ location: ModelLocation) -> Bool {
    location.modelType.map(modelTypes.contains) ?? GGUFFile.isGGUF(location.path)
  }

  /// Opens the headers; weights are read on demand.
  ///
  /// - Throws: As ``StoredModel/init(_:)``.
  public static func open(_ path: FilePath) throws -> StoredModel { try StoredModel(path) }

  /// Sizes of the model, and whether its tokenizer fits.
  ///
  /// - Throws: ``ModelError`` when a weight is missing; as ``StoredModel/init(_:)``.
  public static func summary(of path: FilePath) throws -> ModelSummary {
    let model = try StoredModel(path)
    let (c, inventory) = (model.configuration, try model.inventory())
    var details = DecoderDetails(c)
    let tokenizer = Result { try model.tokenizer().vocabularyCount }
    details.tokenizerSize = try? tokenizer.get()
    var summary = ModelSummary(
      family: c.family, details: details, weights: inventory.weights, idle: idle(c))
    summary.modules = ModuleShare.all(inventory.weights, c, names: model.names)
    summary.warn(ofUnused: inventory.unused)
    if let text = SafetensorsCheckpoint.indexWarning(in: model.path) {
      summary.warnings.append(text)
    }
    switch tokenizer {
    case .success(let count) where count > c.vocabularySize:
      summary.warnings.append(
        "the tokenizer knows \(count) tokens, the model only \(c.vocabularySize)")
    case .success: break
    case .failure(let error): summary.warnings.append("no tokenizer: \(error)")
    }
    return summary
  }

  /// Weights of the experts that are inactive for a token.
  private static func idle(_ c: DecoderConfiguration) -> Int {
    let matrices = c.form == .gated ? 3 : 2
    let experts = Double(c.experts) - c.expertsPerToken
    return Int(experts * Double(matrices * c.expertInner * c.hiddenSize * c.sparseLayers.count))
  }
}
