import MoEData
import MoETokenizers
import ArgumentParser
import MoECore
import MoEModels
import SystemPackage

struct TokenizerTokens: WritesFiles {
  static let configuration = CommandConfiguration(
    commandName: "tokens",
    abstract: "Turn text files into a token file, once for many runs.",
    discussion: """
      The result is a safetensors file that data.train of a training configuration can name. It \
      records its tokenizer and is rejected with any other. 'switchyard train' makes such files \
      itself from text.

      Example:
        switchyard tokenizer tokens book.txt --tokenizer tokenizer.json --out book.safetensors
      """)

  @Argument(help: "Files with text, UTF-8, or JSONL; - is standard input.", completion: .file())
  var texts: [PathArgument]
  @Option(help: "A tokenizer.json, or a folder that holds one.", completion: .file())
  var tokenizer: PathArgument
  @Option(help: "A new file for the tokens.", completion: .file()) var out: PathArgument
  @OptionGroup var files: OverwriteOption
  @Option(help: "Key of the text in each line of JSONL (default: text, for .jsonl files).")
  var field: String?
  @Option(
    help:
      "Token after every document; '' for none (default: the tokenizer's own, such as <|endoftext|>, </s> or <|end_of_text|>)."
  )
  var end: String?

  func validate() throws {
    guard out.path.extension == "safetensors" else {
      throw ValidationError("--out must end in .safetensors.")
    }
  }

  func run() throws {
    try files.check(out.path, inputs: texts.map(\.path) + [tokenizer.path])
    let folder = try ModelLocation.tokenizer(tokenizer.path)
    let named = folder.appending("tokenizer.json")
    let file = named.isMissing ? folder : named
    let tokenizer = try Tokenizer(file)
    let progress = ProgressLine()
    defer { progress.end() }
    try TokenFileWriter(
      tokenizer, identity: Tokenizer.identity(at: file), endToken: try endToken(tokenizer)
    ).write(
      texts.map { TextSource(try StandardInput.file(for: $0.path), field: field) }, to: out.path,
      progress: progress.show)
    progress.end()
    let tokens = try TokenFile(out.path)
    Output.line("\(counted(tokens.count, "token")) of \(ByteCount(tokens.origin.bytes)) text")
  }

  /// The token after every document; says so if there is none.
  private func endToken(_ tokenizer: Tokenizer) throws -> Int? {
    if end == "" { return nil }
    if let end {
      guard let id = tokenizer.id(of: end) else {
        throw SettingError(key: "--end", value: end, expected: "a token of the tokenizer")
      }
      return id
    }
    if tokenizer.endToken == nil {
      Output.message(
        "note: the tokenizer has no token that ends a document, so documents follow one another without one; --end names another token"
      )
    }
    return tokenizer.endToken
  }
}
