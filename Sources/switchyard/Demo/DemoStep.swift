import SystemPackage

/// A piece of the demo that is done or not: one command line.
struct DemoStep {
  /// What is done.
  enum Work {
    /// A command of this program, by its words.
    case command([String])
    /// A part of a text becomes a file of its own.
    case excerpt(Part, of: FilePath, bytes: Int, to: FilePath)
  }

  /// Which bytes of a text, named as the shell's tools that print them.
  enum Part: String {
    case head, tail

    func bytes(_ all: [UInt8], count: Int) -> [UInt8] {
      Array(self == .head ? all.prefix(count) : all.suffix(count))
    }
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
    case .excerpt(let part, let path, let bytes, let target):
      ShellText.line([part.rawValue, "-c", "\(bytes)", path.string]) + " > "
        + ShellText.line([target.string])
    }
  }
}
