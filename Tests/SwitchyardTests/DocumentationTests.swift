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
    /// What stands behind the opening fence.
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

  /// Words behind `switchyard` of all command lines.
  var commands: [[String]] {
    blocks.filter { ["", "sh", "bash"].contains($0.language) }.flatMap { block in
      let lines = block.text.split(separator: "\n", omittingEmptySubsequences: false)
      // Where commands stand beside what they print, only lines behind a prompt are commands.
      let isSession = lines.contains { $0.hasPrefix("$ ") }
      let typed = lines.compactMap { line -> Substring? in
        isSession ? (line.hasPrefix("$ ") ? line.dropFirst(2) : nil) : line
      }
      return ShellWords(typed.joined(separator: "\n")).commands.filter {
        $0[0] == "switchyard" || $0[0].hasSuffix("/switchyard")
      }.map { Array($0.dropFirst()) }
    }
  }

  /// Commands behind a prompt, each with the lines that follow it.
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
  /// Why words are no command line of the program; `nil` if they are.
  private static func fault(_ words: [String]) -> String? {
    do {
      _ = try Switchyard.parseAsRoot(words)
      return nil
    } catch {
      // Help and versions are answers, not faults.
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

  /// Commands that read, answer within a moment, and need no more than bundled files.
  private static func isShort(_ words: [String]) -> Bool {
    let readers = [
      ["doctor"], ["info"], ["generate"], ["tokenizer", "encode"], ["checkpoint", "list"],
    ]
    guard let command = readers.first(where: { words.starts(with: $0) }) else { return false }
    let operand = words.dropFirst(command.count).first ?? "."
    return operand == "." || operand.hasPrefix("Data/")
  }

  @Test("shows command lines that run, with the output that they have")
  func execution() throws {
    var (ran, compared) = (Set<[String]>(), 0)
    for page in try DocumentationPage.all() {
      for words in page.commands where Self.isShort(words) && ran.insert(words).inserted {
        let run = try Program.run(words, in: Fixtures.package)
        #expect(run.exitCode == 0, "\(page.name): \(words): \(run.errors)")
      }
      // What others print depends on the machine: its processor, or the rounding of its kernels.
      for session in page.sessions where ["info", "checkpoint"].contains(session.words.first) {
        let run = try Program.run(session.words, in: Fixtures.package)
        #expect(run.output == session.output + "\n", "\(page.name): \(session.words)")
        compared += 1
      }
    }
    #expect(ran.count >= 4 && compared >= 1, "\(ran.count), \(compared)")
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

/// A command as the program describes itself to tools.
struct CommandDescription: Decodable {
  var commandName: String
  var discussion: String?
  var subcommands: [CommandDescription]?

  /// The program and all its commands.
  static func program() throws -> CommandDescription {
    struct Tool: Decodable { var command: CommandDescription }
    let run = try Program.run("--experimental-dump-help")
    return try JSONDecoder().decode(Tool.self, from: Data(run.output.utf8)).command
  }

  /// This command and those below it, each with the words that call it.
  func all(_ above: [String] = []) -> [(words: [String], command: CommandDescription)] {
    [(above, self)]
      + (subcommands ?? []).filter { $0.commandName != "help" }.flatMap {
        $0.all(above + [$0.commandName])
      }
  }
}

@Suite("The help of every command")
struct HelpTests {
  @Test("comes with an example that parses, and is the page in Documentation/commands")
  func pages() throws {
    let commands = try CommandDescription.program().all()
    #expect(commands.count > 20)
    var names: Set<String> = ["README.md"]
    for (words, command) in commands where !words.isEmpty {
      let run = try Program.run(words + ["--help"], columns: 120)
      #expect(run.exitCode == 0 && run.errors.isEmpty, "\(words)")
      let lines = (command.discussion ?? "").split(separator: "\n").filter {
        $0.hasPrefix("  switchyard ")
      }
      #expect(!lines.isEmpty, "\(words) has no example")
      for line in lines {
        let example = try #require(ShellWords(String(line)).commands.first)
        #expect(throws: Never.self, "\(line)") {
          _ = try Switchyard.parseAsRoot(Array(example.dropFirst()))
        }
        #expect(run.output.contains(line), "the help breaks the line \(line)")
      }
      let name = words.joined(separator: "-") + ".md"
      names.insert(name)
      let path = Fixtures.package.pushing(FilePath("Documentation/commands/\(name)"))
      let page = (try? String(decoding: readBytes(path), as: UTF8.self)) ?? ""
      let help = run.output.split(separator: "\n", omittingEmptySubsequences: false)
      #expect(
        page.contains("```text\n" + help.joined(separator: "\n").trimmed + "\n```"),
        "\(name) is not what --help prints; run Scripts/command-pages")
    }
    let folder = Fixtures.package.pushing(FilePath("Documentation/commands")).string
    #expect(try Set(FileManager.default.contentsOfDirectory(atPath: folder)) == names)
  }

  @Test("is what wrong usage is answered with: exit code 64 and where to look")
  func wrongUsage() throws {
    for (words, _) in try CommandDescription.program().all() where !words.isEmpty {
      let run = try Program.run(words + ["--no-such-flag"])
      #expect(run.exitCode == 64 && run.output.isEmpty, "\(words)")
      #expect(run.errors.hasPrefix("Error: "), "\(words): \(run.errors)")
    }
  }

  @Test("is not needed to see that a file is missing: exit code 1 and its name")
  func failures() throws {
    for words in [
      ["info", "no/model"], ["generate", "no/model", "--prompt", "a"], ["train", "no/model"],
      ["classify", "no/model", "a"], ["sample", "no/model", "--out", "no/image.png"],
      ["perplexity", "no/model", "--text", "no/model"], ["inspect", "no/model"],
      ["trace", "no/model", "--text", "no/model", "--out", "no/trace.safetensors"],
      ["import-trace", "no/model.pt", "--out", "no/trace.safetensors"],
      ["place", "no/model", "--ranks", "2"], ["plan", "show", "no/model"],
      ["plan", "check", "no/model"], ["plan", "diff", "no/model", "no/model"],
      ["plan", "convert", "no/model", "--to", "exflow=no/plan"],
      ["tokenizer", "encode", "no/model", "a"], ["tokenizer", "decode", "no/model", "1"],
      ["tokenizer", "train", "no/model", "--size", "300", "--out", "no/tokenizer.json"],
      ["tokenizer", "tokens", "no/model", "--tokenizer", "no/model", "--out", "no/a.safetensors"],
      ["checkpoint", "list", "no/model"], ["checkpoint", "rewrite", "no/model", "--out", "no/out"],
      ["convert", "no/model.pt", "--out", "no/out"],
      ["upcycle", "no/model", "--experts", "2", "--k", "1", "--out", "no/out"],
    ] {
      let run = try Program.run(words)
      #expect(run.exitCode == 1 && run.output.isEmpty, "\(words): \(run.exitCode)")
      #expect(run.errors.hasPrefix("Error: ") && run.errors.contains("no/"), "\(run.errors)")
      #expect(run.errors.split(separator: "\n").count == 1, "\(words): \(run.errors)")
    }
  }
}

extension String {
  /// The text without empty lines and spaces around it.
  fileprivate var trimmed: String { trimmingCharacters(in: .whitespacesAndNewlines) }
}
