import Foundation
import MoECore
import MoETestSupport
import SystemPackage
import Testing

@Suite("Files that commands write")
struct OverwritingTests {
  private static let model = "Data/bible-moe"
  private let folder: TemporaryFolder
  private let text: String
  private let trace: String
  private let plan: String

  init() throws {
    folder = try TemporaryFolder()
    text = try folder.write(Array("In the beginning God created".utf8), to: "text.txt").string
    (trace, plan) = (folder.file("trace.safetensors").string, folder.file("plan.json").string)
    #expect(
      try Program.run("trace", Self.model, "--text", text, "--out", trace).exitCode == 0)
    #expect(
      try Program.run("place", trace, "--ranks", "2", "--held-out", "0", "--out", plan).exitCode
        == 0)
  }

  /// Every command that writes a file, without its name, which comes last.
  private var commands: [[String]] {
    [
      ["trace", Self.model, "--text", text, "--out"],
      ["inspect", trace, "--html"],
      ["place", trace, "--ranks", "2", "--held-out", "0", "--out"],
      ["tokenizer", "train", text, "--size", "260", "--out"],
      ["tokenizer", "tokens", text, "--tokenizer", Self.model, "--out"],
      ["checkpoint", "rewrite", Self.model, "--out"],
    ]
  }

  @Test("replace nothing without being told to, and only files")
  func overwriting() throws {
    let old = folder.file("old.safetensors")
    for command in commands {
      _ = try folder.write([1], to: "old.safetensors")
      let refused = try Program.run(command + [old.string])
      #expect(refused.exitCode == 1 && refused.errors.contains("--overwrite"), "\(refused)")
      #expect(try readBytes(old) == [1])
      let replaced = try Program.run(command + [old.string, "--overwrite"])
      #expect(replaced.exitCode == 0, "\(replaced)")
      #expect(try readBytes(old) != [1])
    }
  }

  @Test("take the place of no device, pipe or dangling link")
  func devices() throws {
    let (pipe, link) = (folder.file("pipe.safetensors"), folder.file("link.safetensors"))
    #expect(unsafe mkfifo(pipe.string, 0o600) == 0)
    try FileManager.default.createSymbolicLink(
      atPath: link.string, withDestinationPath: "nothing")
    for command in commands {
      for path in [pipe.string, link.string] {
        let run = try Program.run(command + [path, "--overwrite"])
        #expect(run.exitCode == 1 && run.errors.contains("must not replace"), "\(run)")
      }
    }
    #expect(try folder.contents().contains("pipe.safetensors"))
  }

  @Test("are never what the command reads")
  func inputs() throws {
    for command in [
      ["trace", Self.model, "--text", text, "--out", text], ["inspect", trace, "--html", trace],
      ["place", trace, "--ranks", "2", "--out", trace],
      ["plan", "convert", plan, "--to", "plan=\(plan)"],
      ["tokenizer", "train", text, "--size", "260", "--out", text],
    ] {
      let run = try Program.run(command + ["--overwrite"])
      #expect(run.exitCode == 1 && run.errors.contains("is read by this command"), "\(run)")
    }
  }

  @Test("are never part of the model that the command reads, except pages")
  func modelFiles() throws {
    let model = folder.file("model")
    try FileManager.default.copyItem(atPath: Self.model, toPath: model.string)
    let weights = model.appending("model.safetensors").string
    for command in [
      ["trace", model.string, "--text", text, "--out", weights],
      ["inspect", model.string, "--text", text, "--html", model.appending("config.json").string],
      ["tokenizer", "tokens", text, "--tokenizer", model.string, "--out", weights],
    ] {
      let run = try Program.run(command + ["--overwrite"])
      #expect(run.exitCode == 1 && run.errors.contains("is read by this command"), "\(run)")
    }
    let page = model.appending("report.html").string
    for _ in 1...2 {
      let run = try Program.run(
        "inspect", model.string, "--text", text, "--html", page, "--overwrite")
      #expect(run.exitCode == 0, "\(run)")
    }
    #expect(try Program.run("info", model.string).exitCode == 0)
  }

  @Test("are all different, and none is a stream")
  func sameName() throws {
    let (new, other) = (folder.file("new.json").string, folder.path.string + "/./new.json")
    for arguments in [
      ["place", trace, "--ranks", "2", "--out", new, "--export", "sglang=\(other)"],
      ["plan", "convert", plan, "--to", "sglang=\(new)", "--to", "plan=\(new)"],
    ] {
      let run = try Program.run(arguments)
      #expect(run.exitCode == 64 && run.errors.contains("two outputs"), "\(run)")
    }
    let stream = try Program.run("trace", Self.model, "--text", text, "--out", "-")
    #expect(stream.exitCode == 64 && stream.errors.contains("'-' is no file"), "\(stream)")
    #expect(try !folder.contents().contains("new.json"))
  }

  @Test("leave nothing behind when a signal stops them", arguments: [SIGINT, SIGTERM, SIGHUP])
  func interruption(signal: Int32) throws {
    let out = folder.file("rewritten")
    for attempt in 1...4 {
      let process = try Program.start(
        "checkpoint", "rewrite", Self.model, "--out", out.string, "--shard-size", "20kB")
      // Until files appear there is nothing to leave behind.
      while process.isRunning, try !folder.contents().contains(where: { $0.hasSuffix(".partial") })
      { usleep(500) }
      usleep(UInt32(attempt * 1_000))
      kill(process.processIdentifier, signal)
      process.waitUntilExit()
      let left = try folder.contents().filter { $0.hasPrefix(".") }
      #expect(left.isEmpty, "\(left)")
      #expect(process.terminationReason == .uncaughtSignal || !out.isMissing)
      try? FileManager.default.removeItem(atPath: out.string)
    }
  }
}
