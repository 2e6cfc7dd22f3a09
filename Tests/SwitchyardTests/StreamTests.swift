import Foundation
import MoECore
import MoETestSupport
import SystemPackage
import Testing

@Suite("Standard streams")
struct StreamTests {
  private static let model = FilePath(FileManager.default.currentDirectoryPath)
    .appending("Data/bible-moe")
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func shell(_ line: String) throws -> Program.Run {
    try Program.shell(line, in: folder.path)
  }

  private static let generate =
    "\"$0\" generate \(model) --prompt In --max-tokens 2 --temperature 0"

  @Test(
    "go on without messages when standard error cannot be written",
    arguments: ["2>&-", "2>/dev/full", "<&- 2>&-", "2>&1 >answer | true; cat answer"])
  func noErrors(redirection: String) throws {
    let expected = try shell(Self.generate)
    let run = try shell("\(Self.generate) \(redirection)")
    #expect(run.exitCode == 0 && run.output == expected.output, "\(run)")
  }

  @Test("keep failures failures when standard error cannot be written")
  func failureWithoutErrors() throws {
    #expect(try shell("\"$0\" info nowhere 2>&-").exitCode == 1)
    #expect(try shell("\"$0\" info --nope 2>/dev/full").exitCode == 64)
  }

  @Test("never let messages into a file that takes the place of a closed stream")
  func closedStreams() throws {
    let text = try folder.write(Array("In the beginning God created".utf8), to: "text.txt")
    let run = try shell(
      "\"$0\" trace \(Self.model) --text \(text) --out t.safetensors <&- >&- 2>&-; \"$0\" inspect t.safetensors"
    )
    #expect(run.exitCode == 0 && run.output.contains(" tokens in "), "\(run)")
  }

  @Test("make output that nobody can read a failure, and a reader that went away none")
  func output() throws {
    let full = try shell("\(Self.generate) >/dev/full")
    #expect(full.exitCode == 1 && full.errors.contains("cannot write to standard output"))
    let closed = try shell("\(Self.generate) >&-")
    #expect(closed.exitCode == 1 && closed.errors.contains("cannot write to standard output"))
    let line = Self.generate.replacing("--max-tokens 2", with: "--max-tokens 200")
    let head = try shell("(\(line); echo ended with $? >&3) 3>code | head -c 3; cat code")
    // 128 + SIGPIPE, as of every program in a pipe.
    #expect(head.output.hasSuffix("ended with 141\n") && !head.errors.contains("Error"), "\(head)")
  }

  @Test("quote files without their control characters, on one line of bounded length")
  func foreignText() throws {
    let evil = "\u{1B}]0;title\u{7}\u{1B}[31m\nError: forged"
    let long = String(repeating: "x", count: 5_000)
    for name in [evil, long] {
      let config = try JSONEncoder().encode(["model_type": name])
      try FileManager.default.createDirectory(
        atPath: folder.file("model").string, withIntermediateDirectories: true)
      _ = try folder.write(Array(config), to: "model/config.json")
      let run = try Program.run("info", folder.file("model").string)
      #expect(run.exitCode == 1 && run.errors.utf8.count < 1_200)
      #expect(run.errors.filter { $0 == "\n" }.count == 1)
      #expect(!run.errors.unicodeScalars.contains { $0.value < 32 && $0 != "\n" })
    }
    let table = try folder.write(Array("text,label\n\(evil),1\n".utf8), to: "table.csv")
    let run = try Program.run("inspect", table.string)
    #expect(run.exitCode == 1 && !run.errors.contains("\u{1B}"))
  }

  @Test(
    "are read where - stands for a file",
    arguments: [
      "trace \(model) --tokens 6 --out piped --text", "inspect \(model) --tokens 6 --json --text",
      "perplexity \(model) --text", "tokenizer tokens --tokenizer \(model) --out piped.safetensors",
      "tokenizer train --size 280 --out piped.json", "generate \(model) --max-tokens 3 --prompt",
    ])
  func input(command: String) throws {
    _ = try folder.write(Array("In the beginning God created\n".utf8), to: "text.txt")
    let run = try shell("cat text.txt | \"$0\" \(command) -")
    #expect(run.exitCode == 0, "\(run)")
    #expect(try shell("\"$0\" \(command) - </dev/null").exitCode != 0)
  }

  @Test(
    "say that standard input cannot be read",
    arguments: [
      "tokenizer encode \(model) -", "tokenizer encode \(model) --lines",
      "tokenizer decode \(model)", "perplexity \(model) --text -",
      "generate \(model) --prompt -", "trace \(model) --out t --text -",
    ], ["<&-", "</"])
  func unreadable(command: String, redirection: String) throws {
    let run = try shell("\"$0\" \(command) \(redirection)")
    #expect(run.exitCode == 1 && run.errors.contains("standard input"), "\(run)")
    #expect(run.errors.hasPrefix("Error: ") && run.errors.filter { $0 == "\n" }.count == 1)
  }

  @Test("refuse words that are not UTF-8, and cut long ones")
  func words() throws {
    let run = try shell("\"$0\" tokenizer encode \(Self.model) \"$(printf 'a\\377b')\"")
    #expect(run.exitCode == 64 && run.errors.contains("not UTF-8"), "\(run)")
    let long = try Program.run("place", "t", "--ranks", String(repeating: "9", count: 100_000))
    #expect(long.exitCode == 64 && long.errors.utf8.count < 3_000)
  }

  @Test("outlive a terminal, if the program was started that way")
  func nohup() throws {
    let line = Self.generate.replacing("--max-tokens 2", with: "--max-tokens 400")
    let run = try shell("trap '' HUP; \(line) >text & sleep 0.5; kill -HUP $!; wait $!")
    #expect(run.exitCode == 0, "\(run)")
  }
}
