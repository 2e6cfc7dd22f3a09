import SystemPackage

/// One command line of the demo, which is either complete or not.
struct DemoStep {
  /// What the step does.
  enum Work {
    /// Runs a command of this program, given by its words.
    case command([String])
    /// Copies a part of a text to a separate file.
    case excerpt(Part, of: FilePath, bytes: Int, to: FilePath)
  }

  /// Which bytes of a text, named after the shell tools that print them.
  enum Part: String {
    case head, tail

    func bytes(_ all: [UInt8], count: Int) -> [UInt8] {
      Array(self == .head ? all.prefix(count) : all.suffix(count))
    }
  }

  /// The step's unique name.
  var name: String
  var work: Work
  /// File in the demo's folder for the command's output.
  var output: String?
  /// Other files and folders that it makes in the demo's folder.
  var makes: [String] = []

  /// Everything that exists when the step is complete.
  var results: [String] { makes + [output].compactMap(\.self) }

  /// The shell command line for the same result, as text rather than JSON.
  var line: String {
    switch work {
    case .command(let words):
      ShellText.line(["switchyard"] + words.filter { $0 != "--json" })
    case .excerpt(let part, let path, let bytes, let target):
      ShellText.line([part.rawValue, "-c", "\(bytes)", path.string]) + " > "
        + ShellText.line([target.string])
    }
  }
}
