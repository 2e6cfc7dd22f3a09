import MoECore
package import MoETokenizers
import SystemPackage

extension StoredModel {
  /// The token that stands for an empty context: the tokenizer's BOS token, whether or not it puts one before a text, else
  /// its EOS token; `nil` if the model has neither.
  ///
  /// `tokenizer_config.json` names them; without it, or in a GGUF file, the configuration does.
  ///
  /// - Parameter tokenizer: The model's tokenizer.
  /// - Returns: A token in the model's vocabulary.
  package func prefixToken(_ tokenizer: Tokenizer) -> Int? {
    let named = tokenizerSettings.flatMap { settings in
      [settings["bos_token"], settings["eos_token"]].lazy.compactMap { value in
        value.flatMap(Self.text).flatMap { tokenizer.id(of: $0) }
      }.first
    }
    var configured: Int?
    if case .number(let value) = json.value("bos_token_id") { configured = Int(exactly: value) }
    var candidates: [Int?] = [named, configured, tokenizer.surroundings.prefix.first]
    candidates += configuration.endTokens.map { $0 }
    candidates.append(tokenizer.endToken)
    let vocabulary = 0..<configuration.vocabularySize
    return candidates.compactMap(\.self).first { vocabulary.contains($0) }
  }

  /// `tokenizer_config.json`, if the folder has one that can be read; what it lacks is found elsewhere.
  private var tokenizerSettings: JSONObject? {
    guard path.isDirectory,
      let file = try? MappedFile(path.appending("tokenizer_config.json")),
      let bytes = try? file.copied(upTo: FileLimit.configuration),
      case .object(let settings)? = try? JSONValue(parsing: bytes)
    else { return nil }
    return settings
  }

  /// A token's text, which may be in an object with its properties.
  private static func text(_ value: JSONValue) -> String? {
    switch value {
    case .string(let text): return text
    case .object(let properties):
      guard case .string(let text)? = properties["content"] else { return nil }
      return text
    default: return nil
    }
  }
}
