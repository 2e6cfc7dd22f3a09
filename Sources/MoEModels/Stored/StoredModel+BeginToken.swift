import MoECore

extension StoredModel {
  /// The token that begins a text by `bos_token_id` of the configuration, whether or not the tokenizer adds it; `nil` if
  /// there is none.
  package var beginToken: Int? {
    guard case .number(let value) = json.value("bos_token_id"), let token = Int(exactly: value),
      0..<configuration.vocabularySize ~= token
    else { return nil }
    return token
  }
}
