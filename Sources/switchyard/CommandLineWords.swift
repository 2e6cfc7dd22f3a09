import ArgumentParser
import MoECore

/// The words of a command line, before they are parsed.
enum CommandLineWords {
  /// Writes `--option -5` as `--option=-5`, because a word that begins with '-' would be taken for an option.
  ///
  /// Words that cannot be options are joined: negative numbers, and texts such as "- item". What looks like an
  /// option stays one, so that a forgotten value is noticed.
  static func joiningValues(_ words: [String]) -> [String] {
    var result: [String] = []
    for (place, word) in words.enumerated() {
      if word == "--" { return result + words[place...] }
      if let last = result.last, last.hasPrefix("--"), last.count > 2, !last.contains("="),
        isValue(word)
      {
        result[result.count - 1] = "\(last)=\(word)"
      } else {
        result.append(word)
      }
    }
    return result
  }

  private static func isValue(_ word: String) -> Bool {
    guard word.hasPrefix("-"), word.count > 1 else { return false }
    return Double(word) != nil || word.contains(where: \.isWhitespace)
      || !word.drop { $0 == "-" }.contains(where: \.isLetter)
  }

  /// The words after the program's name.
  ///
  /// - Throws: `ValidationError` for one that is not UTF-8, because Swift would have replaced its bytes.
  static func given() throws -> [String] {
    for place in 1..<max(1, Int(CommandLine.argc)) {
      guard let word = unsafe CommandLine.unsafeArgv[place],
        unsafe String(validatingCString: word) == nil
      else { continue }
      throw ValidationError(
        "The argument \(place) is not UTF-8 text: '\(unsafe String(cString: word))'.")
    }
    return Array(CommandLine.arguments.dropFirst())
  }

  /// Refuses a command that does not exist, with the one that was probably meant.
  ///
  /// - Throws: `ValidationError`.
  static func checkCommand(_ words: [String]) throws {
    var commands = Switchyard.configuration.subcommands
    for word in words.drop(while: { $0 == "help" }) {
      guard !commands.isEmpty, !word.hasPrefix("-"), word != "help" else { return }
      let names = commands.map { $0._commandName }
      guard let place = names.firstIndex(of: word) else { throw unknown(word, names) }
      commands = commands[place].configuration.subcommands
    }
  }

  private static func unknown(_ word: String, _ names: [String]) -> ValidationError {
    let nearest = names.nearest(to: word).flatMap { name in
      // A name that shares hardly a letter is no help.
      name.distance(to: word) <= max(1, name.count / 2) ? name : nil
    }
    let hint =
      nearest.map { "did you mean '\($0)'?" } ?? "there are \(names.joined(separator: ", "))."
    return ValidationError("There is no command '\(word)'; \(hint)")
  }

  /// Adds to a usage message how values that begin with '-' are written, where that is the problem.
  static func explaining(_ message: String, _ words: [String]) -> String {
    if let missing = message.firstMatch(of: /Missing value for '(--[^ ']+)/)?.1,
      zip(words, words.dropFirst()).contains(where: { $0 == missing && $1.hasPrefix("-") })
    {
      return message + "\n  A value that begins with '-' is written with '=': \(missing)=-value."
    }
    if message.contains("Unknown option '-") {
      return message + "\n  An argument that begins with '-' comes after '--'."
    }
    return message
  }
}
