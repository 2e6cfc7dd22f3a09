import Foundation
import MoECore
import SystemPackage

/// Where a demo reads and writes, and how much it does.
struct DemoSetting {
  /// Folder for everything that is written.
  let folder: FilePath
  /// The folder with `Data/` and `Examples/` that was asked for.
  let givenSource: FilePath?
  /// The folder with `Data/` and `Examples/`; `nil` for the current directory.
  let source: FilePath?
  /// Whether a few steps of everything are enough.
  let isQuick: Bool
  /// The requested number of threads.
  let threads: Int?

  /// Without a given source, that is the current directory if it has the data, else what was installed with the
  /// program.
  init(folder: FilePath, source: FilePath?, isQuick: Bool, threads: Int?) {
    (self.folder, self.isQuick, self.threads, givenSource) = (folder, isQuick, threads, source)
    let isHere = !FilePath(Self.sample).isMissing
    self.source = source ?? (isHere ? nil : Self.installed)
  }

  /// A file that every source has.
  private static let sample = "Data/bible-moe/config.json"

  /// The folder of data that was installed with this program, if it is there.
  private static var installed: FilePath? {
    let program = FilePath(CommandLine.executablePath)
    let share = (program.resolved ?? program).removingLastComponent().removingLastComponent()
      .pushing("share/switchyard")
    return share.pushing(FilePath(sample)).isMissing ? nil : share
  }

  /// The path of a bundled file.
  func bundled(_ name: String) -> FilePath {
    source.map { $0.pushing(FilePath(name)) } ?? FilePath(name)
  }

  /// The path of a file that the demo makes.
  func made(_ name: String) -> FilePath { folder.pushing(FilePath(name)) }

  /// A step that runs a command of this program.
  ///
  /// - Parameters:
  ///   - name: A unique name.
  ///   - words: The words of the command line.
  ///   - computes: Whether the command takes `--threads`.
  ///   - output: File for its output.
  ///   - makes: Other files that it makes.
  /// - Returns: The step.
  func step(
    _ name: String, _ words: [String], computes: Bool = true, output: String? = nil,
    makes: [String] = []
  ) -> DemoStep {
    let threads = computes ? self.threads.map { ["--threads", "\($0)"] } ?? [] : []
    return DemoStep(name: name, work: .command(words + threads), output: output, makes: makes)
  }

  /// The command that continues this demo.
  var command: String {
    var words = ["switchyard", "demo", "--out", folder.string]
    if let givenSource { words += ["--source", givenSource.string] }
    if isQuick { words.append("--quick") }
    if let threads { words += ["--threads", "\(threads)"] }
    return ShellText.line(words)
  }

  /// Checks that the bundled files exist.
  func checkSource() throws {
    for name in [Self.sample, "Data/bible", "Data/questions", "Data/digits", "Examples"] {
      guard bundled(name).isMissing else { continue }
      throw DemoError.missing(bundled(name))
    }
  }

  // MARK: Results

  /// The text of a file that the demo has made.
  func text(_ name: String) throws -> String { try readText(made(name)) }

  /// The value in a JSON file that the demo has made.
  func value<Value: Decodable>(_ type: Value.Type, in name: String) throws -> Value {
    try MappedFile(made(name)).json(type, expected: Self.expected)
  }

  /// The values in a file that the demo has made, one JSON document per line.
  func values<Value: Decodable>(_ type: Value.Type, inLinesOf name: String) throws -> [Value] {
    try text(name).split(separator: "\n", omittingEmptySubsequences: false).enumerated()
      .filter { !$0.element.isEmpty }.map { number, line in
        try JSONText.value(
          type, in: Data(line.utf8), of: made(name), line: number + 1, expected: Self.expected)
      }
  }

  private static let expected = "what a step of the demo wrote (remove the file to make it again)"
}

/// Why a demo cannot run.
enum DemoError: Error, CustomStringConvertible {
  /// A file that is bundled with Switchyard is missing.
  case missing(FilePath)
  /// The folder contains a demo with other settings.
  case otherSettings(FilePath)
  /// The folder's record is not valid.
  case invalidRecord(FilePath, problem: String)
  /// A file that the demo made is not what it was.
  case damaged(FilePath, problem: String)

  var description: String {
    switch self {
    case .missing(let path):
      "\(path) does not exist; run the demo in the folder of Switchyard's sources, or name that with --source"
        .printable
    case .otherSettings(let folder):
      "\(folder) contains a demo with different --quick or --threads; choose another --out, or use the same options"
        .printable
    case .invalidRecord(let path, let problem):
      "\(path) is not the record of a demo: \(problem); choose another --out, or remove the file to start over"
        .printable
    case .damaged(let path, let problem):
      "\(path) is not what the demo wrote: \(problem); remove the file, and the same command makes it again"
        .printable
    }
  }
}
