import MoETokenizers
import MoECore
import SystemPackage

/// A small file that is written next to new weights.
struct CompanionFile {
  var name: String
  var contents: Contents

  enum Contents {
    case text(String)
    case copy(of: FilePath)
  }

  func write(into folder: FilePath) throws {
    let target = folder.appending(name)
    switch contents {
    case .text(let text): try AtomicFile.write(text, to: target)
    case .copy(let source):
      let file = try MappedFile(source)
      try AtomicFile.write(to: target) { new in try file.withBytes { try new.append($0) } }
    }
  }
}

extension StoredModel {
  private static let tokenizerFiles = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "merges.txt", "tokenizer.model", "chat_template.jinja", "generation_config.json",
  ]

  /// The files of this model's tokenizer, for another model with the same vocabulary.
  ///
  /// - Throws: `GGUFError` if a GGUF file has an unsupported tokenizer.
  func tokenizerFiles() throws -> [CompanionFile] {
    if let file = ggufFile {
      guard file.metadata["tokenizer.ggml.model"] != nil else { return [] }
      let text = try GGUFTokenizer(file).json()
      return [CompanionFile(name: "tokenizer.json", contents: .text(text))]
    }
    return Self.tokenizerFiles.filter { path.appending($0).exists }.map {
      CompanionFile(name: $0, contents: .copy(of: path.appending($0)))
    }
  }
}
