public import MoECore

/// The kinds of models that can be on disk.
public enum ModelKinds {
  /// The kinds by name; where several hold a model, the one registered last has it.
  public static let registry = Registry<any ModelKind.Type>(
    "kind of model",
    [
      "language": LanguageModels.self, "diffusion": DiffusionModels.self,
      "text classifier": TextClassifiers.self, "image classifier": ImageClassifiers.self,
    ])
}
