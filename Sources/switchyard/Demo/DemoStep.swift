import SystemPackage

/// A piece of the demo that is done or not: one command line.
struct DemoStep {
  /// What is done.
  enum Work {
    /// A command of this program, by its words.
    case command([String])
    /// The last bytes of a text become a file of their own.
    case end(of: FilePath, bytes: Int, to: FilePath)
  }

  /// A name that no other step has.
  var name: String
  var work: Work
  /// File in the demo's folder for what a command prints.
  var output: String?
  /// Files and folders in the demo's folder that it makes besides.
  var makes: [String] = []

  /// All that is there when the step is done.
  var results: [String] { makes + [output].compactMap(\.self) }

  /// The line to be typed in a shell for the same result, in words rather than in JSON.
  var line: String {
    switch work {
    case .command(let words):
      ShellText.line(["switchyard"] + words.filter { $0 != "--json" })
    case .end(let path, let bytes, let target):
      ShellText.line(["tail", "-c", "\(bytes)", path.string]) + " > "
        + ShellText.line([target.string])
    }
  }
}
