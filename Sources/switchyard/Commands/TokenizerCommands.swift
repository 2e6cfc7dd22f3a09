import MoETokenizers
import ArgumentParser
import Foundation
import MoECore
import MoEModels

struct TokenizerCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "tokenizer",
    abstract: "Train a tokenizer, or turn text into tokens and back.",
    discussion: """
      Example:
        switchyard tokenizer encode Data/bible-moe "In the beginning"
      """,
    subcommands: [
      TokenizerTrain.self, TokenizerEncode.self, TokenizerDecode.self, TokenizerTokens.self,
    ])
}

struct TokenizerTrain: WritesFiles {
  static let configuration = CommandConfiguration(
    commandName: "train",
    abstract: "Learn a byte-level BPE vocabulary from a text file.",
    discussion: """
      The result is a tokenizer.json that the Hugging Face tokenizers library reads, too.

      Example:
        switchyard tokenizer train book.txt --size 4096 --out tokenizer.json
      """)

  @Argument(help: "File with the text, UTF-8.", completion: .file()) var text: PathArgument
  @Option(help: "Number of tokens, at least 256 and the special ones.") var size: Int
  @Option(help: "A new file for the tokenizer.", completion: .file()) var out: PathArgument
  @Option(name: .customLong("special"), help: "A special token; may be given several times.")
  var specials: [String] = []
  @OptionGroup var files: OverwriteOption
  @Option(help: "Pairs that occur less often are not merged.") var minFrequency = 2

  func validate() throws {
    do { _ = try trainer() } catch let error as TokenizerError {
      guard case .invalidSetting(let name, let found, let expected) = error.reason else {
        throw error
      }
      throw ValidationError("\(Self.options[name] ?? name) is \(found); it must be \(expected).")
    }
  }

  /// The options that hold a trainer's settings.
  private static let options = [
    "vocabularySize": "--size", "specialTokens": "--special", "minimumFrequency": "--min-frequency",
  ]

  private func trainer() throws -> BPETrainer {
    try BPETrainer(vocabularySize: size, specialTokens: specials, minimumFrequency: minFrequency)
  }

  func run() throws {
    try files.check(out.path, inputs: [text.path])
    let trainer = try trainer()
    let content = try readText(text.path)
    let progress = ProgressLine()
    defer { progress.end() }
    let trained = trainer.train(on: content, progress: progress.show)
    try trained.write(to: out.path)
  }
}

struct TokenizerEncode: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "encode",
    abstract: "Print the tokens of a text, separated by spaces.",
    discussion: """
      Example:
        switchyard tokenizer encode Data/bible-moe "In the beginning"
      """)

  @Argument(help: "A tokenizer.json, a folder that holds one, or a GGUF file.", completion: .file())
  var tokenizer: PathArgument
  @Argument(help: "The text (default: standard input).") var text: String?
  @Flag(help: "Leave out the tokens that mark begin and end.") var plain = false

  func run() throws {
    let tokenizer = try Tokenizer(ModelLocation.tokenizer(tokenizer.path))
    let bytes =
      try text.map { Array($0.utf8) }
      ?? Array(try FileHandle.standardInput.readToEnd() ?? Data())
    let tokens = tokenizer.encode(bytes: bytes, addingSpecialTokens: !plain)
    Output.line(tokens.map(String.init).joined(separator: " "))
  }
}

struct TokenizerDecode: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decode", abstract: "Print the text of tokens.",
    discussion: """
      Example:
        switchyard tokenizer decode Data/bible-moe 300 400 500
      """)

  @Argument(help: "A tokenizer.json, a folder that holds one, or a GGUF file.", completion: .file())
  var tokenizer: PathArgument
  @Argument(help: "Token numbers.") var tokens: [Int]
  @Flag(help: "Print special tokens, too.") var special = false

  func validate() throws {
    if let negative = tokens.first(where: { $0 < 0 }) {
      throw ValidationError("a token is \(negative); tokens are numbers from 0 on.")
    }
  }

  func run() throws {
    let tokenizer = try Tokenizer(ModelLocation.tokenizer(tokenizer.path))
    Output.line(try tokenizer.decode(tokens, skippingSpecialTokens: !special))
  }
}
