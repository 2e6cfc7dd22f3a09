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

extension CompanionFile {
  private static let ofTokenizers = [
    "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
    "vocab.json", "merges.txt", "tokenizer.model", "chat_template.jinja", "generation_config.json",
  ]

  /// The files of a folder that belong to its tokenizer and to generation.
  static func tokenizer(in folder: FilePath) -> [CompanionFile] {
    ofTokenizers.filter { folder.appending($0).exists }.map {
      CompanionFile(name: $0, contents: .copy(of: folder.appending($0)))
    }
  }
}
