import ArgumentParser
import Foundation
import MoETestSupport
import SystemPackage
import Testing

@testable import switchyard

/// A page of the documentation and the code in it.
struct DocumentationPage {
  /// A block between fences.
  struct Block {
    /// The text after the opening fence.
    var language: String
    var text: String
  }

  /// Path in the repository.
  let name: String
  private(set) var blocks: [Block] = []

  init(_ name: String) throws {
    self.name = name
    let text = String(
      decoding: try readBytes(Fixtures.package.pushing(FilePath(name))), as: UTF8.self)
    var open: (language: String, lines: [String])?
    for line in text.split(separator: "\n", omittingEmptySubsequences: false) {
      guard line.hasPrefix("```") else {
        open?.lines.append(String(line))
        continue
      }
      if let block = open {
        blocks.append(Block(language: block.language, text: block.lines.joined(separator: "\n")))
        open = nil
      } else {
        open = (String(line.dropFirst(3)), [])
      }
    }
    #expect(open == nil, "\(name) has a block without end")
  }

  /// All pages of the repository.
  static func all() throws -> [DocumentationPage] {
    var names = ["README.md", "CONTRIBUTING.md"]
    for folder in ["Documentation", "Examples", "Data"] {
      let path = Fixtures.package.appending(folder).string
      names += try FileManager.default.subpathsOfDirectory(atPath: path)
        .filter { $0.hasSuffix(".md") }.map { "\(folder)/\($0)" }
    }
    return try names.sorted().map(DocumentationPage.init)
  }

  /// Words after `switchyard` of all command lines.
  var commands: [[String]] {
    blocks.filter { ["", "sh", "bash"].contains($0.language) }.flatMap { block in
      let lines = block.text.split(separator: "\n", omittingEmptySubsequences: false)
      // If commands are shown with their output, only lines after a prompt are commands.
      let isSession = lines.contains { $0.hasPrefix("$ ") }
      let typed = lines.compactMap { line -> Substring? in
        isSession ? (line.hasPrefix("$ ") ? line.dropFirst(2) : nil) : line
      }
      return ShellWords(typed.joined(separator: "\n")).commands.filter {
        $0[0] == "switchyard" || $0[0].hasSuffix("/switchyard")
      }.map { Array($0.dropFirst()) }
    }
  }

  /// Commands after a prompt, each with the lines that follow it.
  var sessions: [(words: [String], output: String)] {
    blocks.flatMap { block in
      var found: [(words: [String], lines: [Substring])] = []
      for line in block.text.split(separator: "\n", omittingEmptySubsequences: false) {
        if line.hasPrefix("$ switchyard ") {
          let words = ShellWords(String(line.dropFirst(2))).commands.first ?? []
          found.append((Array(words.dropFirst()), []))
        } else if !found.isEmpty {
          found[found.count - 1].lines.append(line)
        }
      }
      return found.map { it in
        var lines = it.lines
        while lines.last?.isEmpty ?? false { lines.removeLast() }
        return (it.words, lines.joined(separator: "\n"))
      }
    }
  }
}

@Suite("The documentation")
struct DocumentationTests {
  /// Why words are not a command line of the program; `nil` if they are.
  private static func fault(_ words: [String]) -> String? {
    do {
      _ = try Switchyard.parseAsRoot(words)
      return nil
    } catch {
      // Help and versions are not errors.
      return Switchyard.exitCode(for: error) == .success ? nil : Switchyard.message(for: error)
    }
  }

  @Test("names only commands, flags and values that exist")
  func commandLines() throws {
    var count = 0
    for page in try DocumentationPage.all() {
      for words in page.commands {
        let fault = Self.fault(words)
        #expect(fault == nil, "\(page.name): switchyard \(words.joined(separator: " "))")
        count += 1
      }
    }
    #expect(count > 40, "\(count)")
    for wrong in [
      ["trane"], ["info"], ["place", "t", "--ranks", "4", "--fast"], ["info", "a", "b"],
    ] {
      #expect(Self.fault(wrong) != nil, "\(wrong)")
    }
  }

  /// Commands that only read, finish quickly, and need only bundled files.
  private static func isShort(_ words: [String]) -> Bool {
    let readers = [
      ["doctor"], ["info"], ["generate"], ["evaluate"], ["tokenizer", "encode"],
      ["checkpoint", "list"],
    ]
    guard let command = readers.first(where: { words.starts(with: $0) }) else { return false }
    let operand = words.dropFirst(command.count).first ?? "."
    return operand == "." || operand.hasPrefix("Data/")
  }

  @Test("shows command lines that run, with the output that they have")
  func execution() throws {
    var (ran, compared) = (Set<[String]>(), 0)
    let pages = try DocumentationPage.all()
    let examples = CommandEntry.all.flatMap(\.examples).flatMap { ShellWords($0).commands }
    let commands = pages.flatMap(\.commands) + examples.map { Array($0.dropFirst()) }
    for words in commands where Self.isShort(words) && ran.insert(words).inserted {
      let run = try Program.run(words, in: Fixtures.package)
      #expect(run.exitCode == 0, "\(words): \(run.errors)")
    }
    for page in pages {
      // What others print depends on the machine: its processor, or the rounding of its kernels.
      for session in page.sessions where ["info", "checkpoint"].contains(session.words.first) {
        let run = try Program.run(session.words, in: Fixtures.package)
        #expect(run.output == session.output + "\n", "\(page.name): \(session.words)")
        compared += 1
      }
    }
    #expect(ran.count >= 5 && compared >= 1, "\(ran.count), \(compared)")
  }

  @Test("shows Swift that is part of a snippet, which every build compiles")
  func swift() throws {
    let folder = Fixtures.package.appending("Snippets").string
    let snippets = try FileManager.default.contentsOfDirectory(atPath: folder).map {
      String(decoding: try readBytes(FilePath(folder).appending($0)), as: UTF8.self)
    }
    for page in try DocumentationPage.all() {
      for block in page.blocks where block.language == "swift" {
        #expect(snippets.contains { $0.contains(block.text) }, "\(page.name):\n\(block.text)")
      }
    }
  }
}

/// A command and the words that call it.
struct CommandEntry {
  var words: [String]
  var type: any ParsableCommand.Type

  /// All commands of the program, including those that only group others.
  static var all: [CommandEntry] { below(Switchyard.self, []) }

  private static func below(_ type: any ParsableCommand.Type, _ words: [String]) -> [CommandEntry] {
    type.configuration.subcommands.flatMap { inner in
      let path = words + [inner._commandName]
      return [CommandEntry(words: path, type: inner)] + below(inner, path)
    }
  }

  /// Lines of its help that are examples.
  var examples: [String] {
    type.configuration.discussion.split(separator: "\n").map(String.init).filter {
      $0.hasPrefix("  switchyard ")
    }
  }

  /// How the program would end with more words after these, and what it would say, as `main`
  /// computes both.
  func answer(_ more: [String], columns: Int? = nil) -> (code: Int32, text: String) {
    do {
      var command = try Switchyard.parseAsRoot(words + more)
      let output = try Output.keeping { try command.run() }
      return (0, output)
    } catch {
      return (
        Switchyard.exitCode(for: error).rawValue,
        Switchyard.fullMessage(for: error, columns: columns)
      )
    }
  }
}

@Suite("The help of every command", .serialized)
struct HelpTests {
  @Test("comes with an example that parses, and is the page in Documentation/commands")
  func pages() throws {
    let commands = CommandEntry.all
    #expect(commands.count > 20)
    for command in commands {
      // From the program: other tests of this process may have registered more methods and formats.
      let run = try Program.run(command.words + ["--help"], columns: 120)
      let help = (code: run.exitCode, text: run.output)
      #expect(help.code == 0 && help.text.contains("USAGE: switchyard"), "\(command.words)")
      #expect(!command.examples.isEmpty, "\(command.words) has no example")
      for line in command.examples {
        let example = try #require(ShellWords(line).commands.first)
        #expect(throws: Never.self, "\(line)") {
          _ = try Switchyard.parseAsRoot(Array(example.dropFirst()))
        }
        #expect(example.dropFirst().starts(with: command.words), "\(line)")
        #expect(help.text.contains(line), "the help breaks the line \(line)")
      }
      let name = command.words.joined(separator: "-") + ".md"
      let path = Fixtures.package.pushing(FilePath("Documentation/commands/\(name)"))
      let page = (try? String(decoding: readBytes(path), as: UTF8.self)) ?? ""
      #expect(
        page.contains(
          "```text\n\(help.text.trimmingCharacters(in: .whitespacesAndNewlines))\n```"),
        "\(name) is not what --help prints; run Scripts/command-pages")
    }
    let folder = Fixtures.package.pushing(FilePath("Documentation/commands")).string
    let names = ["README.md"] + commands.map { $0.words.joined(separator: "-") + ".md" }
    #expect(try Set(FileManager.default.contentsOfDirectory(atPath: folder)) == Set(names))
    // What is computed in this process is what the program prints.
    let run = try Program.run(["tokenizer", "encode", "--help"], columns: 120)
    let command = try #require(commands.first { $0.words == ["tokenizer", "encode"] })
    #expect(run.exitCode == 0 && run.output == command.answer(["--help"], columns: 120).text + "\n")
  }

  @Test("is mentioned after wrong usage: exit code 64 and where to look")
  func wrongUsage() throws {
    for command in CommandEntry.all {
      let answer = command.answer(["--no-such-flag"])
      #expect(answer.code == 64 && answer.text.hasPrefix("Error: "), "\(command.words)")
      #expect(answer.text.contains("--help"), "\(command.words): \(answer.text)")
    }
    let run = try Program.run("plan", "check", "--no-such-flag")
    #expect(run.exitCode == 64 && run.output.isEmpty && run.errors.hasPrefix("Error: "))
  }

  /// Arguments that are valid, but whose files do not exist.
  private static let missing: [(command: String, words: String)] = [
    ("classify", "no/model a"), ("convert", "no/model.pt --out no/out"), ("info", "no/model"),
    ("generate", "no/model --prompt a"), ("sample", "no/model --out no/image.png"),
    ("perplexity", "no/model --text no/model"),
    ("fidelity", "no/model --reference no/model --classifier no/model"), ("train", "no/model"),
    ("inspect", "no/model"), ("evaluate", "no/model --tasks-file no/questions"),
    ("trace", "no/model --text no/model --out no/trace.safetensors"),
    ("import-trace", "no/model.pt --out no/trace.safetensors"), ("place", "no/model --ranks 2"),
    ("plan show", "no/model"), ("plan check", "no/model"), ("plan diff", "no/model no/model"),
    ("plan evaluate", "no/model no/model"),
    ("plan convert", "no/model --to exflow=no/plan"), ("tokenizer encode", "no/model a"),
    ("tokenizer decode", "no/model 1"), ("checkpoint list", "no/model"),
    ("tokenizer train", "no/model --size 300 --out no/tokenizer.json"),
    ("tokenizer tokens", "no/model --tokenizer no/model --out no/a.safetensors"),
    ("checkpoint rewrite", "no/model --out no/out"),
    ("quantize", "no/model --out no/out"), ("verify", "no/model no/other --text no/text"),
    ("upcycle", "no/model --experts 2 --k 1 --out no/out"), ("demo", "--source no/source"),
  ]

  @Test("is not needed to see that a file is missing: exit code 1 and its name")
  func failures() throws {
    let known = Dictionary(uniqueKeysWithValues: Self.missing.map { ($0.command, $0.words) })
    for command in CommandEntry.all where command.type.configuration.subcommands.isEmpty {
      let name = command.words.joined(separator: " ")
      // The doctor does not read files of its user.
      guard name != "doctor" else { continue }
      let words = try #require(known[name], "\(name) has no case here")
      let answer = command.answer(ShellWords(words).commands[0])
      #expect(answer.code == 1, "\(name): \(answer)")
      #expect(answer.text.hasPrefix("Error: ") && answer.text.contains("no/"), "\(answer.text)")
      #expect(answer.text.split(separator: "\n").count == 1, "\(name): \(answer.text)")
    }
    let run = try Program.run("info", "no/model")
    #expect(run.exitCode == 1 && run.output.isEmpty && run.errors.hasPrefix("Error: "))
  }
}
