import MoECore

/// All kinds of models that can be trained.
enum TrainingRecipes {
  static let all: [any TrainingRecipe.Type] = [
    LanguageRecipe.self, DiffusionRecipe.self, ClassificationRecipe.self,
    ImageClassificationRecipe.self,
  ]

  /// The recipe that a configuration asks for; language models where it does not say.
  static func recipe(of json: ConfigurationObject) throws -> any TrainingRecipe.Type {
    let name = try json.optionalString("task") ?? LanguageRecipe.name
    guard let recipe = all.first(where: { $0.name == name }) else {
      throw json.invalid("task", "one of \(all.map { $0.name }.joined(separator: ", "))")
    }
    return recipe
  }

  /// Dotted keys whose values are paths, in any recipe.
  static var pathKeys: Set<String> { Set(all.flatMap { $0.pathKeys }) }
}
