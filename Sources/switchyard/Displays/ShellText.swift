/// Quotes words for a shell.
enum ShellText {
  /// The words in one line, each quoted where a shell would interpret it.
  static func line(_ words: [String]) -> String {
    words.map(quoted).joined(separator: " ")
  }

  private static func quoted(_ word: String) -> String {
    let isPlain =
      !word.isEmpty
      && word.allSatisfy { $0.isLetter || $0.isNumber || "-_./=:,+@".contains($0) }
    guard !isPlain else { return word }
    // Shells look at bytes: a combining mark after a quote does not make it another character.
    return "'"
      + word.unicodeScalars.map { $0 == "'" ? "'\\''" : String($0) }.joined()
      + "'"
  }
}
