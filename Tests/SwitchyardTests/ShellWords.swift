/// Command lines as a shell reads them: as much of its language as documentation uses.
struct ShellWords {
  /// The words of each command; `&&`, `|`, `;` and line ends separate commands, redirections are
  /// left out.
  private(set) var commands: [[String]] = []

  private var words: [String] = []
  private var word: String?
  private var skipsWord = false

  /// Reads text.
  init(_ text: String) {
    var quote: Character?
    var rest = Substring(text)
    while let character = rest.popFirst() {
      if let open = quote {
        if character == open { quote = nil } else { word = (word ?? "") + String(character) }
        continue
      }
      switch character {
      case "'", "\"":
        quote = character
        word = word ?? ""
      case "\\":
        // A line that continues below, or an escaped character.
        if let next = rest.popFirst(), next != "\n" { word = (word ?? "") + String(next) }
      case "#" where word == nil: rest = rest.drop { $0 != "\n" }
      case " ", "\t": endWord()
      case "\n", "|", "&", ";": endCommand()
      case ">", "<":
        endWord()
        skipsWord = true
      default: word = (word ?? "") + String(character)
      }
    }
    endCommand()
  }

  private mutating func endWord() {
    guard let finished = word else { return }
    if skipsWord { skipsWord = false } else { words.append(finished) }
    word = nil
  }

  private mutating func endCommand() {
    endWord()
    if !words.isEmpty { commands.append(words) }
    words = []
  }
}
