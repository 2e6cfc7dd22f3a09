import MoEModels
import MoETokenizers

/// The token that stands for an empty context.
struct TextBeginning {
  /// The token; `nil` if the model has none that begins or ends a text.
  let token: Int?

  /// Finds the token as the harness does: that which begins a text, else that which ends one.
  init(_ model: StoredModel, _ tokenizer: Tokenizer) {
    token =
      model.beginToken ?? tokenizer.surroundings.prefix.first
      ?? model.configuration.endTokens.first ?? tokenizer.endToken
  }
}
