import Foundation
import MoECore
import MoETensor
import MoETestSupport
import SystemPackage
import Testing

/// A folder with a text and a configuration that trains in a moment.
struct SmallRun {
  let folder: TemporaryFolder
  var config: String { folder.file("config.json").string }
  var out: FilePath { folder.file("out") }

  init() throws {
    folder = try TemporaryFolder()
    let text = (0..<300).map { "Gate \($0 % 17) sends token \($0 % 5) to expert \($0 % 3).\n" }
    _ = try folder.write(Array(text.joined().utf8), to: "text.txt")
    let config = """
      {"model": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
                 "rms_norm_eps": 1e-5, "rope_theta": 10000, "hidden_act": "silu", "num_experts": 4,
                 "expert_size": 32, "router": {"type": "noisy_top_k", "k": 2}},
       "tokenizer": {"size": 300},
       "data": {"train": "text.txt", "validation_share": 0.1, "context": 16},
       "training": {"steps": 40, "batch_size": 4, "average": 0.9, "accumulation": 2, "seed": 5},
       "optimizer": {"learning_rate": 0.01}, "losses": {"balance": 0.01, "z": 0.001},
       "checkpoints": {"every": 3, "snapshots": [2]}}
      """
    try AtomicFile.write(config, to: folder.file("config.json"))
  }

  func arguments(_ more: [String] = []) -> [String] {
    ["train", config, "--out", out.string, "--threads", "1"] + more
  }

  func train(_ more: String...) throws -> Program.Run { try Program.run(arguments(more)) }

  /// The columns of a table that must not depend on interruptions: all but the last, the speed.
  func losses(_ folder: FilePath? = nil) throws -> [String] {
    let bytes = try readBytes((folder ?? out).appending("metrics.csv"))
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map { line in
      line.split(separator: ",").dropLast().joined(separator: ",")
    }
  }
}

@Suite("switchyard train", .serialized)
struct TrainCommandTests {
  private let small: SmallRun

  init() throws { small = try SmallRun() }

  @Test("trains a model that generate opens, and records how")
  func train() throws {
    let run = try small.train()
    #expect(run.exitCode == 0, "\(run.errors)")
    #expect(run.output == "\(small.out)/model\n")
    #expect(run.errors.contains("step 40: training loss") && run.errors.contains("perplexity"))
    let names = try FileManager.default.contentsOfDirectory(atPath: small.out.string).sorted()
    #expect(
      names == [
        "checkpoints", "data", "evaluation.csv", "lock", "metrics.csv", "model", "routing.csv",
        "run.json", "snapshots", "tensorboard", "tokenizer.json",
      ])
    let rows = try small.losses()
    #expect(rows.count == 41 && rows[40].hasPrefix("40,"))
    let first = Double(rows[1].split(separator: ",")[3]) ?? 0
    let last = Double(rows[40].split(separator: ",")[3]) ?? 9
    #expect(first > 5 && last < 3, "\(first) to \(last)")
    let record = String(decoding: try readBytes(small.out.appending("run.json")), as: UTF8.self)
    for text in ["\"libtorch\"", "\"warmup_steps\" : 4", "\"seed\" : 5", "\"threads\" : 1"] {
      #expect(record.contains(text), "\(record)")
    }
    for model in ["model", "snapshots/step-00000002"] {
      let path = small.out.pushing(FilePath(model)).string
      let text = try Program.run(
        "generate", path, "--prompt", "Gate 3", "--max-tokens", "5", "--threads", "1")
      #expect(text.exitCode == 0, "\(text.errors)")
    }
    #expect(
      try FileManager.default.contentsOfDirectory(
        atPath: small.out.appending("checkpoints").string) == ["step-00000040"])
    try followRun()
  }

  /// The folder of the run stands for its model, for commands and for configurations.
  private func followRun() throws {
    let (run, model) = (small.out.string, small.out.appending("model").string)
    let text = small.folder.file("text.txt").string
    for arguments in [
      ["info"], ["perplexity", "--text", text, "--context", "16", "--threads", "1"],
      ["generate", "--prompt", "Gate 3", "--max-tokens", "5", "--threads", "1"],
      ["tokenizer", "encode", "Gate 3"], ["checkpoint", "list"],
    ] {
      let words = arguments.prefix { !$0.hasPrefix("-") && $0 != "Gate 3" }
      let rest = Array(arguments.dropFirst(words.count))
      let (of, from) = (
        try Program.run(words + [model] + rest), try Program.run(words + [run] + rest)
      )
      #expect(from.exitCode == 0 && from.output == of.output, "\(words): \(from.errors)")
    }
    let next = small.folder.file("next").string
    let continued = try Program.run(
      "train", small.config, "--out", next, "--threads", "1", "--steps", "1", "--set",
      "model={\"path\": \"\(run)\"}", "--set", "tokenizer={}")
    #expect(continued.exitCode == 0, "\(continued.errors)")
    #expect(
      try readBytes(small.out.appending("tokenizer.json"))
        == readBytes(FilePath(next).pushing("model/tokenizer.json")))
    // Without its model it is an unfinished run.
    try FileManager.default.removeItem(atPath: model)
    for command in [
      ["info", run], ["generate", run, "--prompt", "Gate"], ["classify", run, "x"],
    ] {
      let refused = try Program.run(command)
      #expect(refused.exitCode == 1, "\(refused.errors)")
      for part in ["checkpoints/step-00000040: continue", "snapshots/step-00000002"] {
        #expect(refused.errors.contains(part), "\(refused.errors)")
      }
    }
  }

  /// The number of kills; `SWITCHYARD_KILLS=50` for the long test.
  private static let kills =
    ProcessInfo.processInfo.environment["SWITCHYARD_KILLS"].flatMap(Int.init) ?? 3

  @Test("killed at random moments, it resumes with the same losses bit for bit")
  func kills() throws {
    let whole = try SmallRun()
    let clock = ContinuousClock()
    let start = clock.now
    #expect(try whole.train().exitCode == 0)
    let seconds = (clock.now - start) / .seconds(1)
    let expected = try whole.losses()
    var generator = SeededGenerator(seed: UInt64(Self.kills))
    var done = 0
    while done < Self.kills {
      let run = try SmallRun()
      // Several kills hit the same run, until one comes too late.
      var isFinished = false
      while !isFinished, done < Self.kills {
        let process = try Program.start(run.arguments(["--resume"]))
        Thread.sleep(forTimeInterval: Double.random(in: 0...seconds, using: &generator))
        if process.isRunning {
          kill(process.processIdentifier, SIGKILL)
          done += 1
        } else {
          isFinished = true
        }
        process.waitUntilExit()
      }
      let last = try run.train("--resume")
      #expect(last.exitCode == 0, "\(last.errors)")
      #expect(try run.losses() == expected)
      let model = run.out.pushing("model/model.safetensors")
      #expect(try readBytes(model) == readBytes(whole.out.pushing("model/model.safetensors")))
    }
  }

  @Test("Ctrl-C writes a checkpoint and says how to continue", arguments: [SIGINT, SIGTERM])
  func interruption(signal: Int32) throws {
    let process = try Program.start(small.arguments(["--steps", "100000"]))
    let metrics = small.out.appending("metrics.csv").string
    for _ in 0..<600 where !FileManager.default.fileExists(atPath: metrics) {
      Thread.sleep(forTimeInterval: 0.05)
    }
    kill(process.processIdentifier, signal)
    process.waitUntilExit()
    #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == signal)
    let steps = try small.losses().count - 1
    let names = try FileManager.default.contentsOfDirectory(
      atPath: small.out.appending("checkpoints").string)
    #expect(names == [String(format: "step-%08d", steps)])
    #expect(try small.train("--resume", "--steps", "100").errors.contains("another configuration"))
  }

  @Test("a folder belongs to one run at a time")
  func locked() throws {
    let process = try Program.start(small.arguments(["--steps", "100000"]))
    let metrics = small.out.appending("metrics.csv").string
    for _ in 0..<600 where !FileManager.default.fileExists(atPath: metrics) {
      Thread.sleep(forTimeInterval: 0.05)
    }
    let second = try small.train("--resume")
    #expect(second.exitCode == 1, "\(second.output)")
    #expect(second.errors.contains("in use by another run (process \(process.processIdentifier))"))
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    let third = try small.train()
    #expect(third.exitCode == 1 && third.errors.contains("already contains a run"))
  }

  @Test("answers bad input with one message and the right exit code")
  func badInput() throws {
    _ = try small.folder.write([], to: "empty.txt")
    _ = try small.folder.write([0x41, 0xFF, 0xFE], to: "binary.txt")
    _ = try small.folder.write(Array("few words".utf8), to: "short.txt")
    _ = try small.folder.write(Array("no JSON".utf8), to: "broken.json")
    func text(_ name: String) -> [String] {
      ["--set", "data.train=\(small.folder.file(name).string)"]
    }
    for (arguments, code, expected) in [
      (["train", "/none.json"], 1, "does not exist"),
      (["train", small.folder.file("broken.json").string], 1, "expected a JSON object"),
      (small.arguments(text("empty.txt")), 1, "is empty"),
      (small.arguments(text("binary.txt")), 1, "is not UTF-8 text at byte 1"),
      (small.arguments(text("short.txt")), 1, "a window needs 17"),
      (small.arguments(text("none.txt")), 1, "does not exist"),
      (small.arguments(["--set", "training.stepz=3"]), 1, "did you mean 'training.steps'?"),
      (small.arguments(["--set", "model.num_expert=3"]), 1, "did you mean 'model.num_experts'?"),
      (small.arguments(["--set", "model.router.k=9"]), 1, "model.router.k is 9"),
      (small.arguments(["--set", "training.recompute=true"]), 1, "draws random numbers"),
      (small.arguments(["--set", "model.vocab_size=20"]), 1, "the tokens of the tokenizer"),
      (small.arguments(["--steps", "0"]), 64, "--steps is 0"),
      (small.arguments(["--device", "cuda:7"]), 1, "cuda:7 is not available"),
      (["train", small.config, "--out", "/proc/run"], 1, "/proc/run"),
      (small.arguments(["--set", "steps"]), 64, "--set is 'steps'"),
      (small.arguments(["--device", "fast"]), 64, "--device"),
      (["train"], 64, "config"),
    ] as [([String], Int32, String)] {
      let run = try Program.run(arguments)
      #expect(run.exitCode == code && run.output.isEmpty, "\(arguments): \(run.errors)")
      #expect(run.errors.hasPrefix("Error: ") && run.errors.contains(expected), "\(run.errors)")
      #expect(code == 64 || run.errors.split(separator: "\n").count == 1, "\(run.errors)")
    }
    // None of these attempts blocks the real run.
    #expect(try small.train("--steps", "2").exitCode == 0)
    let other = try small.train("--resume", "--steps", "2", "--set", "optimizer.learning_rate=0.5")
    #expect(other.exitCode == 1)
    #expect(other.errors.contains("optimizer.learning_rate is 0.5, it was 0.01"))
  }

  @Test("token files are made once, and rejected with another tokenizer")
  func tokenFiles() throws {
    let text = small.folder.file("text.txt").string
    let vocabulary = small.folder.file("vocabulary.json").string
    let tokens = small.folder.file("tokens.safetensors").string
    #expect(
      try Program.run("tokenizer", "train", text, "--size", "280", "--out", vocabulary).exitCode
        == 0)
    let made = try Program.run(
      "tokenizer", "tokens", text, "--tokenizer", vocabulary, "--out", tokens)
    #expect(made.exitCode == 0 && made.output.contains("tokens of"), "\(made.errors)")
    let refused = try small.train(
      "--set", "data.train=\(tokens)", "--set", "tokenizer.path=\(text)")
    #expect(refused.exitCode == 1)
    let settings = [
      "--set", "data.train=\(tokens)", "--set", "tokenizer={\"path\": \"\(vocabulary)\"}",
      "--steps", "2",
    ]
    let run = try Program.run(small.arguments(settings))
    #expect(run.exitCode == 0, "\(run.errors)")
    let other = small.folder.file("other.json").string
    #expect(
      try Program.run("tokenizer", "train", text, "--size", "290", "--out", other).exitCode == 0)
    let wrong = try Program.run([
      "train", small.config, "--out", small.folder.file("other").string, "--set",
      "data.train=\(tokens)", "--set", "tokenizer={\"path\": \"\(other)\"}",
    ])
    #expect(wrong.exitCode == 1 && wrong.errors.contains("another tokenizer"), "\(wrong.errors)")
  }

  @Test(
    "a full disk leaves the last good checkpoint",
    .enabled(if: SmallDisk.isPossible, "needs root to mount a small disk"))
  func fullDisk() throws {
    let disk = try SmallDisk(kilobytes: 4096)
    let out = disk.path.appending("out")
    let arguments = ["train", small.config, "--out", out.string, "--threads", "1"]
    let first = try Program.run(arguments + ["--set", "schedule.steps=40", "--steps", "6"])
    #expect(first.exitCode == 0, "\(first.errors)")
    // What is left is less than a checkpoint needs.
    let free = try FileManager.default.attributesOfFileSystem(forPath: disk.path.string)
    let bytes = (free[.systemFreeSize] as? Int ?? 0) - 100_000
    try Data(count: bytes).write(to: URL(filePath: disk.path.appending("ballast").string))
    let full = try Program.run(
      arguments + ["--resume", "--set", "schedule.steps=40", "--steps", "40"])
    #expect(full.exitCode == 1, "\(full.errors)")
    #expect(full.errors.contains("no space is left"), "\(full.errors)")
    #expect(full.errors.contains("the last good checkpoint is \(out)/checkpoints/step-00000006"))
    try FileManager.default.removeItem(atPath: disk.path.appending("ballast").string)
    let resumed = try Program.run(
      arguments + ["--resume", "--set", "schedule.steps=40", "--steps", "40"])
    #expect(resumed.exitCode == 0, "\(resumed.errors)")
    let whole = try small.train()
    #expect(whole.exitCode == 0)
    #expect(try small.losses(out) == small.losses())
  }
}
