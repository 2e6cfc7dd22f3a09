public import MoECore

/// The kinds of models that can be trained from a configuration.
public enum TrainingRecipes {
  /// The recipes by the value of the root key `task`.
  ///
  /// Other packages register theirs before they read configurations.
  public static let registry = Registry<any TrainingRecipe.Type>(
    "task",
    [
      "language": LanguageRecipe.self, "diffusion": DiffusionRecipe.self,
      "classification": ClassificationRecipe.self,
      "image_classification": ImageClassificationRecipe.self,
    ])

  /// The recipe that a configuration names; that of language models if it does not name one.
  ///
  /// - Throws: `ConfigurationError` that lists the known tasks.
  static func recipe(of json: ConfigurationObject) throws -> any TrainingRecipe.Type {
    guard json.has("task") else { return LanguageRecipe.self }
    return try json.entry("task", in: registry).entry
  }
}
