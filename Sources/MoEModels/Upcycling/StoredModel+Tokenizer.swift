import MoECore
import MoETokenizers
import SystemPackage

extension StoredModel {
  /// The files of this model's tokenizer, for another model with the same vocabulary.
  ///
  /// - Throws: `GGUFError` if a GGUF file has an unsupported tokenizer.
  func tokenizerFiles() throws -> [CompanionFile] {
    if let file = ggufFile {
      guard GGUFTokenizer.exists(in: file) else { return [] }
      let text = try GGUFTokenizer(file).json()
      return [CompanionFile(name: "tokenizer.json", contents: .text(text))]
    }
    return CompanionFile.tokenizer(in: path)
  }
}
