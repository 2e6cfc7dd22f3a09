import MoETokenizers
import ArgumentParser
import Foundation
import MoECore
import MoEData
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
    let file = try StandardInput.file(for: text.path)
    try TextSource(file).check()
    let progress = ProgressLine()
    defer { progress.end() }
    let trained = try trainer.train(on: file, progress: progress.show)
    try trained.write(to: out.path)
  }
}
