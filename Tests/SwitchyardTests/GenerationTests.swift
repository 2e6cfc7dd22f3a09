import Foundation
import MoECore
import MoEModels
import MoETensor
import MoETestSupport
import MoETokenizers
import SystemPackage
import Testing

@Suite("switchyard generate, many prompts")
struct GenerationTests {
  private let small: SmallModel
  private var path: String { small.folder.path.string }
  private var out: FilePath { small.folder.file("texts.jsonl") }

  init() throws { small = try SmallModel() }

  private struct Record: Decodable, Equatable {
    var id: String
    var prompt: String
    var text: String
    var tokens: [Int]
    var end: String
    var prompt_tokens: Int
    var log_probabilities: [Float]?
  }

  private func records(_ text: String) throws -> [Record] {
    try text.split(separator: "\n").map {
      try JSONDecoder().decode(Record.self, from: Data($0.utf8))
    }
  }

  private func records(at path: FilePath) throws -> [Record] {
    try records(String(contentsOfFile: path.string, encoding: .utf8))
  }

  private func prompts(_ text: String, name: String = "prompts.txt") throws -> String {
    try small.folder.write(Array(text.utf8), to: name).string
  }

  private func run(_ prompts: String, _ more: String...) throws -> Program.Run {
    try Program.run(["generate", path, "--prompts", prompts, "--max-tokens", "12"] + more)
  }

  @Test("gives each prompt the text that it has alone, in the order of the file")
  func together() throws {
    let lines = ["The gate", "looks at the token and the token", "Größe", "a", "the gate looks"]
    let file = try prompts(lines.joined(separator: "\n") + "\n")
    let found = try run(file, "--out", out.string, "--batch", "3", "--chunk", "4", "--seed", "5")
    #expect(found.exitCode == 0 && found.output.isEmpty, "\(found)")
    #expect(found.errors.contains("of 5 prompts, made"))
    let together = try records(at: out)
    #expect(together.map(\.prompt) == lines && together.map(\.id) == ["1", "2", "3", "4", "5"])
    let alone = try run(file, "--batch", "1", "--seed", "5", "--threads", "1")
    #expect(try records(alone.output) == together)
    let single = try Program.run(
      "generate", path, "--prompt", lines[0], "--max-tokens", "12", "--seed", "5")
    #expect(single.output == together[0].text + "\n")
    for record in together {
      #expect(record.end == "max_tokens" && record.tokens.count == 12)
      #expect(try small.tokenizer.decode(record.tokens) == record.text)
      #expect(record.prompt_tokens == small.tokenizer.encode(record.prompt).count)
    }
  }

  @Test("reads JSON lines with names and seeds, and adds log-probabilities")
  func lines() throws {
    let file = try prompts(
      """
      {"id": "a", "prompt": "The gate", "seed": 7, "note": [1]}
      {"prompt": "The gate", "id": 12}\r
      {"prompt": "The gate"}

      """, name: "prompts.jsonl")
    let found = try run(file, "--log-probabilities")
    let made = try records(found.output)
    #expect(made.map(\.id) == ["a", "12", "3"] && Set(made.map(\.tokens)).count == 3, "\(found)")
    for record in made {
      #expect(record.log_probabilities?.count == 12)
      #expect(record.log_probabilities?.allSatisfy { $0 <= 0 } ?? false)
    }
    let seeded = try run(
      try prompts("{\"id\": \"a\", \"prompt\": \"The gate\"}\n", name: "one.jsonl"), "--seed", "7")
    #expect(try records(seeded.output)[0].tokens == made[0].tokens)
  }

  @Test("names lines without a prompt and those that are too long, and makes the others")
  func badLines() throws {
    let long = String(repeating: "🦊", count: 100)
    let file = try prompts("The gate\n\n\(long)\nthe token\n")
    let found = try run(file, "--out", out.string)
    #expect(found.exitCode == 1 && found.errors.contains("line 2: there is no prompt"), "\(found)")
    #expect(found.errors.contains("line 3: the prompt has") && found.errors.contains("1 to 63"))
    #expect(found.errors.contains("2 lines without a text"))
    #expect(try records(at: out).map(\.id) == ["1", "4"])
  }

  @Test("refuses files that it cannot use before any work")
  func refusals() throws {
    let good = try prompts("The gate\n")
    for (text, name, problem) in [
      ("", "empty.txt", "empty"), ("\n\n", "blank.txt", "has no prompts"),
      ("{\"prompt\": \"a\"}\n{\"prompt\"\n", "broken.jsonl", "line 2 is not a JSON object"),
      ("{\"text\": \"a\"}\n", "key.jsonl", "line 1 has no 'prompt'"),
      (
        "{\"prompt\": \"a\", \"seed\": -1}\n", "seed.jsonl",
        "line 1 has a 'seed' of another type"
      ),
      ("{\"prompt\": 3}\n", "type.jsonl", "line 1 has a 'prompt' of another type"),
      (
        "{\"id\": \"a\", \"prompt\": \"a\"}\n{\"id\": \"a\", \"prompt\": \"b\"}\n", "twice.jsonl",
        "line 2 has the id 'a', as line 1 has"
      ),
    ] {
      let found = try run(try prompts(text, name: name), "--out", out.string)
      #expect(found.exitCode == 1 && found.errors.contains(problem), "\(name): \(found.errors)")
      #expect(out.isMissing, "\(name)")
    }
    let unwritable = try run(good, "--out", small.folder.file("no/texts.jsonl").string)
    #expect(unwritable.exitCode == 1 && unwritable.errors.contains(small.folder.file("no").string))
    let missing = try run(small.folder.file("none.txt").string)
    #expect(missing.exitCode == 1 && missing.errors.contains("none.txt"))
    let same = try run(good, "--out", good, "--overwrite")
    #expect(same.exitCode == 1 && same.errors.contains("is read by this command"))
    for (arguments, problem) in [
      (["--prompt", "a", "--prompts", good], "either"), ([], "either"),
      (["--prompt", "a", "--out", "x"], "belong to --prompts"),
      (["--prompts", good, "--resume"], "need --out"),
      (["--prompts", good, "--out", "x", "--resume", "--overwrite"], "choose one"),
      (["--prompt", "a", "--log-probabilities"], "needs --json"),
      (["--prompts", good, "--batch", "0"], "--batch must be at least 1"),
      (["--prompt", "a", "--chunk", "0"], "--chunk must be at least 1"),
      (["--prompt", "a", "--stop", ""], "--stop is empty"),
      (["--prompts", good, "--json"], "JSON anyway"),
    ] {
      let found = try Program.run(["generate", path] + arguments)
      #expect(
        found.exitCode == 64 && found.errors.contains(problem), "\(arguments): \(found.errors)")
    }
  }

  @Test("keeps finished texts: --resume makes the missing ones, --overwrite all")
  func resuming() throws {
    let file = try prompts("The gate\nthe token\nlooks at\n")
    #expect(try run(file, "--out", out.string).exitCode == 0)
    let whole = try String(contentsOfFile: out.string, encoding: .utf8)
    let again = try run(file, "--out", out.string)
    #expect(
      again.exitCode == 1 && again.errors.contains("--overwrite replaces it, --resume"), "\(again)")
    // One text is finished, and another one is half written.
    let parts = whole.split(separator: "\n")
    try AtomicFile.write("\(parts[0])\n\(parts[1].prefix(20))", to: out)
    let resumed = try run(file, "--out", out.string, "--resume")
    #expect(resumed.exitCode == 0 && resumed.errors.contains("kept 1 text"), "\(resumed)")
    #expect(try String(contentsOfFile: out.string, encoding: .utf8) == whole)
    let other = try run(try prompts("Another\n", name: "b.txt"), "--out", out.string, "--resume")
    #expect(other.exitCode == 1 && other.errors.contains("the id '1' for another prompt"))
    #expect(try run(file, "--out", out.string, "--overwrite").exitCode == 0)
    #expect(try String(contentsOfFile: out.string, encoding: .utf8) == whole)
    // What cannot be replaced by anything is kept.
    let failed = try Program.run(
      "generate", small.folder.file("none").string, "--prompts", file, "--out", out.string,
      "--overwrite")
    #expect(failed.exitCode == 1)
    #expect(try String(contentsOfFile: out.string, encoding: .utf8) == whole)
    // A file that is not ours is not emptied, nor is what is read.
    for text in ["notes without a line end", "\(parts[0])\nnotes"] {
      try AtomicFile.write(text, to: out)
      let foreign = try run(file, "--out", out.string, "--resume")
      #expect(foreign.exitCode == 1 && foreign.errors.contains("is no record"), "\(foreign)")
      #expect(try String(contentsOfFile: out.string, encoding: .utf8) == text)
    }
    let read = try run(file, "--out", file, "--resume")
    #expect(read.exitCode == 1 && read.errors.contains("is read by this command"), "\(read)")
    try AtomicFile.write("no record\n", to: out)
    let broken = try run(file, "--out", out.string, "--resume")
    #expect(broken.exitCode == 1 && broken.errors.contains("line 1 is no record"), "\(broken)")
  }

  @Test("ends texts before a stop text, also a single one, and says why each has ended")
  func stops() throws {
    let file = try prompts("The gate\n")
    let whole = try records(try run(file, "--temperature", "0").output)[0]
    let middle = try #require(whole.text.dropFirst(4).first.map(String.init))
    let expected = try #require(whole.text.range(of: middle)).lowerBound
    let stopped = try records(try run(file, "--temperature", "0", "--stop", middle).output)[0]
    #expect(stopped.end == "stop" && stopped.text == whole.text[..<expected])
    #expect(stopped.tokens.count < whole.tokens.count || stopped.text.count < whole.text.count)
    func single(_ more: String...) throws -> Program.Run {
      try Program.run(
        ["generate", path, "--prompt", "The gate", "--max-tokens", "12", "--temperature", "0"]
          + more)
    }
    #expect(try single("--stop", middle).output == stopped.text + "\n")
    let json = try single("--stop", middle, "--json", "--log-probabilities")
    let record = try JSONDecoder().decode(Record.self, from: Data(json.output.utf8))
    #expect(record.text == stopped.text && record.tokens == stopped.tokens && record.end == "stop")
    #expect(record.log_probabilities?.count == record.tokens.count)
  }

  @Test("keeps finished texts when a signal ends it", arguments: [SIGINT, SIGTERM])
  func interruption(signal: Int32) throws {
    let file = try prompts((0..<3_000).map { "The gate \($0)\n" }.joined())
    let process = try Program.start(
      "generate", path, "--prompts", file, "--out", out.string, "--max-tokens", "16", "--batch", "2"
    )
    while process.isRunning, (try? MappedFile(out).count) ?? 0 < 400 { usleep(1_000) }
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    #expect(process.terminationReason == .uncaughtSignal)
    let kept = try records(at: out)
    #expect((1..<3_000).contains(kept.count))
    #expect(kept.map { Int($0.id) ?? 0 } == kept.map { Int($0.id) ?? 0 }.sorted())
    #expect(kept.allSatisfy { $0.tokens.count == 16 })
  }
}
