import MoETokenizers
import ArgumentParser
import Foundation
import MoECore
import MoEModels
import SystemPackage

struct TokenizerEncode: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "encode",
    abstract: "Print the tokens of a text, separated by spaces.",
    discussion: """
      Without a text, or with -, standard input is read to its end, including line ends. With --lines, \
      each of its lines is a text and gives a line of tokens, as soon as it is read; 'tokenizer \
      decode --lines' turns them back into lines.

      Examples:
        switchyard tokenizer encode Data/bible-moe "In the beginning"
        switchyard tokenizer encode Data/bible-moe --lines < Data/bible/poems-and-gospels.txt
      """)

  @Argument(help: "A tokenizer.json, a folder that holds one, or a GGUF file.", completion: .file())
  var tokenizer: PathArgument
  @Argument(help: "The text; - is standard input (default: standard input).") var text: String?
  @Flag(help: "Leave out the tokens that mark begin and end.") var plain = false
  @Flag(help: "Read many texts from standard input, one per line.") var lines = false

  func validate() throws {
    guard !lines || text == nil || text == "-" else {
      throw ValidationError("--lines reads standard input; leave out the text.")
    }
  }

  func run() throws {
    let tokenizer = try Tokenizer(ModelLocation.tokenizer(tokenizer.path))
    func show(_ bytes: [UInt8]) {
      let tokens = tokenizer.encode(bytes: bytes, addingSpecialTokens: !plain)
      Output.line(tokens.map(String.init).joined(separator: " "))
    }
    if lines {
      try StandardInput.forEachLine { line in
        show(line)
        try Output.flush()
      }
    } else if let text, text != "-" {
      show(Array(text.utf8))
    } else {
      show(try StandardInput.bytes())
    }
  }
}

struct TokenizerDecode: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "decode", abstract: "Print the text of tokens.",
    discussion: """
      Without numbers, or with -, they are read from standard input, separated by white space, as \
      'tokenizer encode' prints them, so the two can be joined by a pipe. With --lines, each line of \
      numbers gives a line of text.

      Examples:
        switchyard tokenizer decode Data/bible-moe 300 400 500
        switchyard tokenizer decode Data/bible-moe --lines < tokens.txt
      """)

  @Argument(help: "A tokenizer.json, a folder that holds one, or a GGUF file.", completion: .file())
  var tokenizer: PathArgument
  @Argument(help: "Token numbers; - is standard input (default: standard input).")
  var tokens: [String] = []
  @Flag(help: "Print special tokens, too.") var special = false
  @Flag(help: "Read many texts from standard input, one line of numbers each.") var lines = false

  private var readsInput: Bool { tokens.isEmpty || tokens == ["-"] }

  func validate() throws {
    guard !lines || readsInput else {
      throw ValidationError("--lines reads standard input; leave out the numbers.")
    }
    for token in tokens where !readsInput {
      guard let number = Int(token) else {
        throw ValidationError("'\(token.printable)' is not a token number.")
      }
      guard number >= 0 else {
        throw ValidationError("a token is \(number); tokens are numbers from 0 on.")
      }
    }
  }

  func run() throws {
    let tokenizer = try Tokenizer(ModelLocation.tokenizer(tokenizer.path))
    guard readsInput else {
      return try show(tokens.compactMap { Int($0) }, tokenizer)
    }
    var all: [Int] = []
    var place = 0
    try StandardInput.forEachLine { line in
      place += 1
      let ids = try numbers(line, place)
      if lines {
        try show(ids, tokenizer)
        try Output.flush()
      } else {
        all += ids
      }
    }
    if !lines { try show(all, tokenizer) }
  }

  private func numbers(_ line: [UInt8], _ place: Int) throws -> [Int] {
    try String(decoding: line, as: UTF8.self).split(whereSeparator: \.isWhitespace).map { word in
      guard let number = Int(word) else {
        throw TextError(
          path: "standard input",
          problem: "has on line \(place) '\(word.prefix(40))', which is not a token number")
      }
      return number
    }
  }

  private func show(_ ids: [Int], _ tokenizer: Tokenizer) throws {
    Output.line(try tokenizer.decode(ids, skippingSpecialTokens: !special))
  }
}
