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
    #expect(plain.output.contains("evaluation: no token is put before a text"))
    #expect(plain.output.contains("note: evaluation reads 3 questions of mmlu_anatomy without"))
    let json = try evaluate("--tasks", tasks, "--data", Self.data, "--json")
    let found = try report(json.output)
    #expect(found.models[0].results.map(\.shots) == [0, 1, 0, 5])
    let mean = found.models[0].results.map(\.headline.value).reduce(0, +) / 4
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
      html.contains("evaluation-2 beside evaluation") && html.contains("Right answers, by task"))
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
      ("arc_challenge", "arc_challenge/test.jsonl (JSON lines with question.stem"),
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
      (["--tasks", "piqa,piqa", "--data", "."], "named twice"),
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
      Evaluate.names(["a/x", "b/x", "runs/y/model", "z.gguf", "runs/y", "."]) == [
        "x", "x-2", "y", "z.gguf", "y-2", "model",
      ])
  }
}
