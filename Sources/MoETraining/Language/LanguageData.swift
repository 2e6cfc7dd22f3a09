import MoEData
import MoETokenizers
import MoECore
import MoEModels
import MoETensor
import SystemPackage

/// Tokenizer and tokens of a run, created in its folder the first time and opened from there later.
struct LanguageData {
  let tokenizer: Tokenizer
  let tokenizerBytes: [UInt8]
  let training: TokenWindows
  let validation: TokenWindows?

  /// Checks the model and the text files before anything is created from them.
  static func check(_ configuration: LanguageRecipe) throws {
    if case .folder(let folder) = configuration.model {
      let location = try ModelLocation(folder)
      try location.check(is: LanguageModels.self)
      guard location.path.isDirectory else {
        throw SettingError(
          key: "model.path", value: "\(folder)",
          expected: "a folder with config.json and safetensors; GGUF files cannot be trained")
      }
    }
    for path in configuration.train + configuration.validation where !isTokenFile(path) {
      try TextSource(path, field: configuration.field).check()
    }
  }

  init(
    _ configuration: LanguageRecipe, in folder: FilePath, progress: @escaping ProgressHandler
  ) throws {
    let path = folder.appending("tokenizer.json")
    if path.isMissing { try Self.makeTokenizer(configuration, at: path, progress) }
    tokenizer = try Tokenizer(path)
    tokenizerBytes = try MappedFile(path).copied(upTo: FileLimit.json)
    let maker = Maker(
      tokenizer: tokenizer, identity: SHA256.hexadecimal(of: tokenizerBytes),
      field: configuration.field, folder: folder.appending("data"), progress: progress)
    try maker.folder.createFolders()
    let file = try maker.open(configuration.train, "train")
    let held = Int(Double(file.count) * configuration.validationShare)
    let context = configuration.context
    training = try TokenWindows(file, range: 0..<file.count - held, context: context)
    if !configuration.validation.isEmpty {
      validation = try TokenWindows(
        maker.open(configuration.validation, "validation"), context: context)
    } else if held > 0 {
      validation = try TokenWindows(file, range: file.count - held..<file.count, context: context)
    } else {
      validation = nil
    }
  }

  /// Whether several documents were joined without a token between them.
  var joinsDocuments: Bool {
    guard tokenizer.endToken == nil else { return false }
    return [training, validation].contains { windows in
      ((try? windows?.file.documentStarts())??.count ?? 0) > 1
    }
  }

  private static func isTokenFile(_ path: FilePath) -> Bool { path.extension == "safetensors" }

  private static func makeTokenizer(
    _ configuration: LanguageRecipe, at path: FilePath, _ progress: @escaping ProgressHandler
  ) throws {
    switch configuration.vocabulary {
    case .file(let named):
      let given = try ModelLocation.tokenizer(named)
      let source = given.isDirectory ? given.appending("tokenizer.json") : given
      _ = try Tokenizer(source)
      let bytes = try MappedFile(source).copied(upTo: FileLimit.json)
      try AtomicFile.write(bytes, to: path)
    case .learned(let size, let specials):
      let trainer = try BPETrainer(vocabularySize: size, specialTokens: specials)
      let sources = configuration.train.filter { !isTokenFile($0) }
      guard !sources.isEmpty else {
        throw SettingError(
          key: "tokenizer.size", value: "\(size)",
          expected: "absent, with tokenizer.path instead, where data.train names tokens")
      }
      let text = try sample(sources.map { TextSource($0, field: configuration.field) })
      try trainer.train(on: text, progress: progress).write(to: path)
    }
  }

  /// The beginning of the texts: a vocabulary does not need more, and memory is limited.
  private static func sample(
    _ sources: [TextSource], limit: ByteCount = ByteCount(64 << 20)
  ) throws -> String {
    struct Enough: Error {}
    var bytes: [UInt8] = []
    do {
      for source in sources {
        try source.forEachPart { part, _ in
          bytes += part.bytes
          if bytes.count >= limit.bytes { throw Enough() }
        }
      }
    } catch is Enough {}
    return String(decoding: bytes, as: UTF8.self)
  }

  /// Opens token files, or creates them from text.
  private struct Maker {
    let tokenizer: Tokenizer
    let identity: String
    let field: String?
    let folder: FilePath
    let progress: ProgressHandler

    func open(_ paths: [FilePath], _ name: String) throws -> TokenFile {
      if paths.contains(where: LanguageData.isTokenFile) {
        guard paths.count == 1 else {
          throw SettingError(
            key: "data.\(name)", value: "\(paths.count) files",
            expected: "one token file, or any number of text files")
        }
        return try TokenFile(paths[0], tokenizer: identity)
      }
      let made = folder.appending(name + ".safetensors")
      if made.isMissing {
        try TokenFileWriter(
          tokenizer, identity: identity, endToken: tokenizer.endToken
        ).write(paths.map { TextSource($0, field: field) }, to: made, progress: progress)
      }
      return try TokenFile(made, tokenizer: identity)
    }
  }
}
