import Foundation
import MoECore
import MoEEvaluation
import MoETestSupport
import SystemPackage
import Testing

@testable import switchyard

@Suite("switchyard evaluate")
struct EvaluateCommandTests {
  private let folder: TemporaryFolder
  private static let model = Fixtures.path("evaluation").appending("model").string
  private static let data = Fixtures.path("evaluation").appending("data").string
  private static let verses = Fixtures.package.appending("Data/questions/verses.jsonl").string

  init() throws { folder = try TemporaryFolder() }

  private func evaluate(_ arguments: String...) throws -> Program.Run {
    try Program.run(["evaluate", Self.model] + arguments + ["--threads", "1"])
  }

  private func report(_ text: String) throws -> EvaluationReport {
    try JSONDecoder().decode(EvaluationReport.self, from: Data(text.utf8))
  }

  private func file(_ text: String, _ name: String = "own.jsonl") throws -> String {
    try folder.write(Array(text.utf8), to: name).string
  }

  @Test("prints a table of tasks, and the same numbers as JSON")
  func table() throws {
    let tasks = "winogrande,copa:1,lambada,mmlu_anatomy"
    let plain = try evaluate("--tasks", tasks, "--data", Self.data)
    #expect(plain.exitCode == 0 && plain.errors.isEmpty, "\(plain.errors)")
    for line in ["winogrande    0      6", "copa          1      5", "mmlu_anatomy  5      3"] {
      #expect(plain.output.contains(line), "\(plain.output)")
    }
    #expect(plain.output.contains("evaluation: no BOS token"))
    #expect(plain.output.contains("note: evaluation: 3 questions of mmlu_anatomy truncated"))
    let json = try evaluate("--tasks", tasks, "--data", Self.data, "--json")
    let found = try report(json.output)
    #expect(found.models[0].results.map(\.shots) == [0, 1, 0, 5])
    let mean = found.models[0].results.map(\.primary.value).reduce(0, +) / 4
    #expect(abs((found.models[0].mean ?? 0) - mean) < 1e-12)
    #expect(found.seed == 1_234 && found.limit == nil)
  }

  @Test("compares models question by question, and draws the page")
  func comparison() throws {
    let page = folder.file("page.html")
    let run = try Program.run([
      "evaluate", Self.model, Self.model, "--tasks", "piqa,hellaswag", "--data", Self.data,
      "--text", Self.data + "/text.txt", "--protocol", "gptq", "--html", page.string,
    ])
    #expect(run.exitCode == 0, "\(run.errors)")
    #expect(run.output.contains("evaluation-2  evaluation  piqa"), "\(run.output)")
    #expect(run.output.contains("0.0 … 0.0") && run.output.contains("1.000"))
    #expect(run.output.contains("perplexity, gptq"))
    let html = String(decoding: try readBytes(page), as: UTF8.self)
    #expect(
      html.contains("evaluation-2 versus evaluation") && html.contains("Right answers, by task"))
    expectSound(html)
  }

  @Test("keeps answers, and goes on after kill -9 with the same table byte for byte")
  func resumes() throws {
    func arguments(_ name: String) -> [String] {
      [
        "evaluate", Fixtures.package.appending("Data/bible-moe").string, "--tasks-file",
        Self.verses, "--out", folder.file(name).string, "--threads", "1",
      ]
    }
    let whole = try Program.run(arguments("whole"))
    #expect(whole.exitCode == 0, "\(whole.errors)")
    let samples = folder.file("cut/bible-moe/samples_verses.jsonl")
    var killed = 0
    for size in [1, 4_000, 9_000] {
      let process = try Program.start(arguments("cut") + ["--resume"])
      while process.isRunning, (try? MappedFile(samples).count) ?? 0 < size { usleep(200) }
      kill(process.processIdentifier, SIGKILL)
      process.waitUntilExit()
      if process.terminationReason == .uncaughtSignal { killed += 1 }
    }
    #expect(killed > 0)
    let resumed = try Program.run(arguments("cut") + ["--resume"])
    #expect(
      resumed.output == whole.output.replacingOccurrences(of: "/whole", with: "/cut"),
      "\(resumed.errors)")
    for name in ["results.json", "bible-moe/samples_verses.jsonl"] {
      let files = try ["whole", "cut"].map { try readBytes(folder.file($0 + "/" + name)) }
      #expect(files[0] == files[1], "\(name)")
    }
    let again = try Program.run(arguments("whole"))
    #expect(
      again.exitCode == 1 && again.errors.contains("--resume continues it"), "\(again.errors)")
    let other = try Program.run(arguments("whole") + ["--resume", "--limit", "3"])
    #expect(other.exitCode == 1 && other.errors.contains("differs in the limit"), "\(other.errors)")
  }

  @Test("refuses what is wrong with its questions, with file and line, before it works")
  func wrongQuestions() throws {
    let good = #"{"context": "the old", "choices": ["river", "house"], "answer": 1}"#
    for (line, expected) in [
      (#"{"context": "a", "choices": ["b", "c"], "answer": 2}"#, "line 2 has the answer 2"),
      (#"{"context": "a", "choices": ["b", "c"]}"#, "line 2 needs a whole number 'answer'"),
      (#"{"context": "a", "choices": ["b"], "answer": 0}"#, "line 2 has 1 text in 'choices'"),
      (#"{"context": "a", "choices": ["b", ""], "answer": 0}"#, "line 2 has an empty text"),
      (#"{"choices": ["b", "c"], "answer": 0}"#, "line 2 needs a text 'context'"),
      ("[]", "line 2 is []"), ("{", "line 2 is not valid JSON"),
      (
        #"{"context": "a", "choices": ["b", "\#(String(repeating: " x", count: 200))"], "answer": 0}"#,
        "line 2 has a choice of 401 tokens, and the model reads 128"
      ),
    ] {
      let path = try file(good + "\n" + line + "\n")
      let run = try evaluate("--tasks-file", path, "--out", folder.file("out").string)
      #expect(run.exitCode == 1 && run.errors.contains(expected), "\(run.errors)")
      #expect(run.errors.contains("own.jsonl") && run.output.isEmpty)
      #expect(folder.file("out").isMissing)
    }
    let empty = try evaluate("--tasks-file", try file(""))
    #expect(empty.exitCode == 1 && empty.errors.contains("is empty"), "\(empty.errors)")
    let few = try evaluate("--tasks-file", try file(good), "--shots", "1")
    #expect(few.exitCode == 1 && few.errors.contains("too few for 1 example"), "\(few.errors)")
  }

  @Test("says which file of a task is missing, in which form, and where it comes from")
  func missingData() throws {
    for (task, expected) in [
      ("arc_challenge", "arc_challenge/test.jsonl (JSON lines as published"),
      ("mmlu", "mmlu/test/abstract_algebra_test.csv"),
      ("balanced_copa", "copa/balanced-copa-dev-all.xml"),
    ] {
      let run = try evaluate("--tasks", task, "--data", Self.data)
      #expect(run.exitCode == 1 && run.errors.contains(expected), "\(run.errors)")
      #expect(run.errors.contains("has no data for") && run.errors.contains(Self.data))
    }
  }

  @Test("refuses models that cannot be asked")
  func wrongModels() throws {
    let classifier = Fixtures.package.appending("Data/digits-classifier").string
    let decoder = Fixtures.path("decoders").appending("olmoe").string
    for (model, expected) in [
      (classifier, "but a language model is needed"), (decoder, "tokenizer.json"),
      (folder.path.string, "does not contain a model"),
    ] {
      let run = try Program.run(["evaluate", model, "--tasks-file", Self.verses])
      #expect(run.exitCode == 1 && run.errors.contains(expected), "\(run.errors)")
    }
  }

  @Test("refuses wrong usage")
  func usage() throws {
    for (arguments, expected) in [
      ([], "name --tasks with --data"), (["--tasks", "piqa"], "--tasks needs --data"),
      (["--tasks", "piqua", "--data", "."], "piqua"),
      (["--tasks", "piqa:x", "--data", "."], "piqa:x"),
      (["--tasks", "piqa,piqa", "--data", "."], "two tasks are named piqa"),
      (["--tasks", "piqa:1001", "--data", "."], "0…1000"),
      (["--data", "."], "--data needs --tasks"),
      (["--tasks-file", Self.verses, "--protocol", "gptq"], "--protocol goes with --text"),
      (["--text", "a", "--shots", "1"], "--shots, --limit and --seed need"),
      (["--tasks-file", Self.verses, "--out", "a", "--html", "a/b.html"], "--html lies in --out"),
      (["--tasks-file", Self.verses, "--limit", "0"], "--limit must be at least 1"),
      (["--tasks-file", Self.verses, "--shots", "-1"], "--shots"),
      (["--tasks-file", Self.verses, "--resume"], "--resume needs --out"),
    ] as [([String], String)] {
      let run = try Program.run(["evaluate", Self.model] + arguments)
      #expect(run.exitCode == 64 && run.errors.contains(expected), "\(run.errors)")
    }
  }

  @Test("names models by what tells them apart")
  func names() {
    #expect(
      Evaluate.names(["a/x", "b/x", "c/x-2", "runs/y/model", "z.gguf", "runs/y", "a/results.json"])
        == ["x", "x-2", "x-2-2", "y", "z.gguf", "y-2", "results.json-2"])
    let here = FilePath(FileManager.default.currentDirectoryPath)
    #expect(Evaluate.names(["."]) == [here.lastComponent?.string ?? ""])
    #expect(Evaluate.names([".."]) == [here.removingLastComponent().lastComponent?.string ?? ""])
  }

  @Test("writes nothing before every model is checked, and nothing but answers where they go")
  func folders() throws {
    let out = folder.file("out")
    let arguments = ["--tasks-file", Self.verses, "--limit", "2", "--out", out.string]
    let bad = try Program.run(["evaluate", Self.model, folder.path.string] + arguments)
    #expect(bad.exitCode == 1 && out.isMissing, "\(bad.errors)")
    let good = try Program.run(["evaluate", Self.model] + arguments)
    #expect(good.exitCode == 0, "\(good.errors)")
    let more = try Program.run(["evaluate", Self.model, Self.model, "--resume"] + arguments)
    #expect(more.exitCode == 0, "\(more.errors)")
    _ = try folder.write([1], to: "out/other.txt")
    let other = try Program.run(["evaluate", Self.model, "--resume"] + arguments)
    #expect(
      other.exitCode == 1 && other.errors.contains("other.txt was not written by an evaluation"),
      "\(other.errors)")
    let file = try Program.run([
      "evaluate", Self.model, "--tasks-file", Self.verses, "--out", Self.verses, "--resume",
    ])
    #expect(file.exitCode == 1 && file.errors.contains("already exists"), "\(file.errors)")
  }

  @Test("goes on only with the same weights, also those of a file with rules")
  func sameWeights() throws {
    let rules = folder.file("rules.json")
    func run(_ text: String) throws -> Program.Run {
      _ = try folder.write(Array(text.utf8), to: "rules.json")
      return try evaluate(
        "--tasks-file", Self.verses, "--limit", "2", "--quantize", rules.string, "--out",
        folder.file("out").string, "--resume")
    }
    #expect(try run(#"{"default": 4}"#).exitCode == 0)
    #expect(try run(#"{"default": 4}"#).exitCode == 0)
    let other = try run(#"{"default": 3}"#)
    #expect(
      other.exitCode == 1 && other.errors.contains("how weights are opened"), "\(other.errors)")
  }

  @Test("reads questions from standard input, and refuses what the harness would crash on")
  func input() throws {
    let line = #"{"context": "", "choices": ["river", "house"], "answer": 1}"#
    let run = try Program.run(["evaluate", Self.model, "--tasks-file", "-"], input: line + "\n")
    #expect(run.exitCode == 0 && run.output.contains("input  0      1"), "\(run.errors)")
  }

  @Test("perplexity names its protocol, and measures the divergence from another model")
  func protocols() throws {
    let text = Self.data + "/text.txt"
    for style in PerplexityProtocol.allCases {
      let run = try Program.run([
        "perplexity", Self.model, "--text", text, "--protocol", style.rawValue, "--context", "32",
        "--against", Self.model,
      ])
      #expect(run.exitCode == 0, "\(run.errors)")
      #expect(run.output.contains("protocol       \(style.rawValue)\n"), "\(run.output)")
      #expect(run.output.contains("divergence from model") && run.output.contains("mean         0"))
    }
    let other = Fixtures.package.appending("Data/bible-moe").string
    let wrong = try Program.run(["perplexity", Self.model, "--text", text, "--against", other])
    #expect(wrong.exitCode == 1 && wrong.errors.contains("tokenizers cut the text differently"))
    let usage = try Program.run([
      "perplexity", Self.model, "--text", text, "--protocol", "gptq", "--stride", "4",
    ])
    #expect(usage.exitCode == 64 && usage.errors.contains("--stride goes with"), "\(usage.errors)")
  }
}
