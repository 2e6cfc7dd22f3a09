import MoECore
import MoETokenizers
import SystemPackage

extension StoredModel {
  /// The files of this model's tokenizer, with its chat template, for another model with the same vocabulary.
  ///
  /// - Throws: `GGUFError` if a GGUF file has an unsupported tokenizer.
  func tokenizerFiles() throws -> [CompanionFile] {
    if let file = ggufFile {
      guard GGUFTokenizer.exists(in: file) else { return [] }
      let text = try GGUFTokenizer(file).json()
      var files = [CompanionFile(name: "tokenizer.json", contents: .text(text))]
      if case .text(let template) = file.metadata["tokenizer.chat_template"] {
        files.append(CompanionFile(name: "chat_template.jinja", contents: .text(template)))
      }
      return files
    }
    return CompanionFile.tokenizer(in: path)
  }
}
