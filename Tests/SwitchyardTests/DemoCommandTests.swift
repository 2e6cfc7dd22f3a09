import Foundation
import MoECore
import MoEData
import MoEPlacement
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

/// A demo of reduced size.
struct SmallDemo {
  let folder: TemporaryFolder
  var out: FilePath { folder.file("demo") }
  var arguments: [String] {
    [
      "demo", "--quick", "--out", out.string, "--source", Fixtures.package.string, "--threads", "1",
    ]
  }

  init() throws { folder = try TemporaryFolder() }

  func run() throws -> Program.Run { try Program.run(arguments) }

  func file(_ name: String) -> FilePath { out.pushing(FilePath(name)) }

  func text(_ name: String) throws -> String {
    String(decoding: try readBytes(file(name)), as: UTF8.self)
  }

  /// The tables of the runs without speeds, which differ each time, and what the trained models say.
  func results() throws -> [String] {
    let tables = try ["language", "digits", "hecto"].flatMap { run in
      try text("\(run)/metrics.csv").split(separator: "\n").map {
        $0.split(separator: ",").dropLast().joined(separator: ",")
      }
    }
    return try tables
      + ["perplexity-after.json", "text-after.txt", "sentences.jsonl"].map { try text($0) }
  }
}

@Suite("switchyard demo", .serialized)
struct DemoCommandTests {
  @Test(
    "makes all its parts and one page, repeats nothing, and resumes wherever it was stopped or killed"
  )
  func demo() throws {
    let demo = try SmallDemo()
    let run = try demo.run()
    #expect(run.exitCode == 0, "\(run.errors)")
    #expect(run.errors.contains("the same command continues"))
    for part in 1...5 { #expect(run.output.contains("\n== \(part)/5 ")) }
    try expectParts(of: demo)
    try expectPage(of: demo)
    let results = try demo.results()
    try expectNoRepetition(of: demo)
    try expectDamageNoticed(in: demo)
    try expectSameResults(results)
  }

  private func expectNoRepetition(of demo: SmallDemo) throws {
    // Only what was removed is made again.
    let stamp = try modified(demo.file("trace.safetensors"))
    try FileManager.default.removeItem(atPath: demo.file("digits.png").string)
    let again = try demo.run()
    #expect(again.exitCode == 0, "\(again.errors)")
    #expect(try modified(demo.file("trace.safetensors")) == stamp)
    #expect(!demo.file("digits.png").isMissing)
    let commands = again.output.split(separator: "\n").filter { $0.hasPrefix("$ ") }
    #expect(commands.count { !$0.hasSuffix("# done before") } == 1 && commands.count > 10)

    let other = try Program.run(
      "demo", "--out", demo.out.string, "--source", Fixtures.package.string)
    #expect(other.exitCode == 1 && other.errors.contains("different --quick"), "\(other.errors)")
  }

  /// Results that have changed are refused by file, whether the record holds their checksums or not.
  private func expectDamageNoticed(in demo: SmallDemo) throws {
    let (record, report) = (demo.file("demo.json"), demo.file("inspection.json"))
    let (recorded, inspected) = (try readBytes(record), try readBytes(report))
    func refusal(_ text: String, in path: FilePath) throws -> String {
      try AtomicFile.write(text, to: path)
      let run = try demo.run()
      #expect(run.exitCode == 1 && run.errors.contains("\(path)"), "\(run.errors)")
      return run.errors
    }
    let text = String(decoding: inspected, as: UTF8.self)
    let longer = text.replacing(/"affinities" : \[\s*\[/) { $0.output + "0.5, " }
    #expect(longer != text)
    #expect(try refusal(longer, in: report).contains("it has changed"))
    // As an older version wrote it.
    let old = String(decoding: recorded, as: UTF8.self)
      .replacing(/"files" : \{[^}]*\},/, with: "")
    try AtomicFile.write(old, to: record)
    #expect(try refusal(longer, in: report).contains("'affinities[0]' has 257 values, not 256"))
    #expect(try refusal("{\n", in: report).contains("not valid JSON in line 2, column 1"))
    let wrong = text.replacing("\"experts\" : 16", with: "\"experts\" : \"16\"")
    #expect(try refusal(wrong, in: report).contains("'experts' has the wrong type"))
    try AtomicFile.write(inspected, to: report)
    let lines = demo.file("sentences.jsonl")
    let answers = try readBytes(lines)
    let broken = String(decoding: answers, as: UTF8.self).replacing(
      "\n", with: "\n{", maxReplacements: 1)
    #expect(try refusal(broken, in: lines).contains("line 2: expected"))
    try AtomicFile.write(answers, to: lines)
    #expect(try refusal("{\"version\": 1", in: record).contains("not the record of a demo"))
    try AtomicFile.write(recorded, to: record)
    #expect(try demo.run().exitCode == 0)
  }

  private func modified(_ path: FilePath) throws -> Date? {
    try FileManager.default.attributesOfItem(atPath: path.string)[.modificationDate] as? Date
  }

  private func expectParts(of demo: SmallDemo) throws {
    let trace = try RoutingTrace(demo.file("trace.safetensors"))
    #expect(trace.tokenCount > 500 && trace.header.experts == 16)
    let plan = try PlacementPlan(contentsOf: demo.file("placement/plan.json"))
    #expect(plan.ranks == 4 && plan.nodes == 2 && plan.violations.isEmpty)
    for (format, name) in [
      (PlanFormat.sglang, "sglang.json"), (.ascend, "ascend.json"), (.tensorrt, "tensorrt.yaml"),
      (.exflow, "exflow.csv"),
    ] {
      let hints = PlanHints(ranks: 4, experts: 16, layerIDs: plan.layerIDs, nodes: 2)
      let read = try PlacementPlan(
        contentsOf: demo.file("placement/\(name)"), as: format, hints: hints)
      #expect(read.violations.isEmpty && read.layers == plan.layers, "\(name)")
    }
    #expect(try ImageFile.read(demo.file("digits.png")).width == 2 * 66 + 2)
    let answers = try demo.text("sentences.jsonl").split(separator: "\n")
    #expect(answers.count == 8 && answers.allSatisfy { $0.contains("\"gate\":[") })
    for model in ["language/model", "digits/model", "hecto/model"] {
      #expect(!demo.file(model + "/config.json").isMissing, "\(model)")
    }
  }

  /// The page has every section, and each number comes with a command that prints it.
  private func expectPage(of demo: SmallDemo) throws {
    let reader = expectSound(try demo.text("report.html"))
    #expect(
      reader.texts["h2"] == [
        "A language model continues learning", "Which ending is a verse's own", "What it writes",
        "Where its tokens go", "Diagnosis",
        "Its experts on 4 devices of 2 nodes", "Generated digits",
        "Experts of different kinds read sentences", "How it was made",
      ])
    #expect((reader.elements["svg"] ?? 0) >= 11 && reader.elements["img"] == 2)
    let (numbers, commands) = (reader.texts["dd"] ?? [], reader.texts["code"] ?? [])
    #expect(numbers.count == commands.count && numbers.count >= 12)
    var checked = 0
    for (number, command) in zip(numbers, commands) where !command.contains("&&") {
      let words = try #require(ShellWords(command).commands.first)
      #expect(words.first == "switchyard")
      // Other commands take seconds here, or would write what is being read.
      guard ["perplexity", "place"].contains(words[1]), checked < 4 else { continue }
      let run = try Program.run(Array(words.dropFirst()))
      #expect(run.exitCode == 0, "\(command): \(run.errors)")
      #expect(Self.prints(run.output, number), "\(number) by \(command): \(run.output)")
      checked += 1
    }
    #expect(checked == 4)
  }

  /// Whether a number occurs in a text, up to rounding to its digits.
  private static func prints(_ text: String, _ number: String) -> Bool {
    let digits = number.filter { "0123456789.-".contains($0) }
    guard let value = Double(digits) else { return false }
    let decimals = digits.split(separator: ".").dropFirst().first?.count ?? 0
    let half = 0.5000001 * pow(10, -Double(decimals))
    return text.split { !"0123456789.-".contains($0) }.compactMap { Double($0) }.contains {
      abs($0 - value) <= half
    }
  }

  /// Stops a demo in several ways at several places, and lets it end.
  private func expectSameResults(_ expected: [String]) throws {
    let demo = try SmallDemo()
    // Interrupted while the first model is being trained, then killed with most stages still to come, because the
    // last ones end within a moment on a fast machine.
    for (place, signal) in [
      ("language/metrics.csv", SIGINT), ("trace.safetensors", SIGKILL),
    ] {
      let process = try Program.start(demo.arguments)
      for _ in 0..<6000 where demo.file(place).isMissing && process.isRunning {
        Thread.sleep(forTimeInterval: 0.01)
      }
      kill(process.processIdentifier, signal)
      process.waitUntilExit()
      #expect(process.terminationReason == .uncaughtSignal && process.terminationStatus == signal)
      #expect(demo.file("report.html").isMissing)
      let record = try JSONSerialization.jsonObject(with: Data(demo.text("demo.json").utf8))
      #expect((record as? [String: Any])?["quick"] as? Bool == true)
      // A kill may leave hidden files behind, an interruption none.
      let hidden = try demo.out.names().filter { $0.hasPrefix(".") }
      #expect(place != "language/metrics.csv" || hidden.isEmpty, "\(hidden)")
    }
    #expect(try demo.run().exitCode == 0)
    #expect(!demo.file("report.html").isMissing)
    #expect(try demo.results() == expected)
  }

  @Test("refuses what it cannot use with one message")
  func refusals() throws {
    let folder = try TemporaryFolder()
    let elsewhere = try Program.run(
      "demo", "--out", folder.file("out").string, "--source", folder.path.string)
    #expect(elsewhere.exitCode == 1 && elsewhere.errors.contains("--source"))
    #expect(folder.file("out").isMissing)
    _ = try folder.write(Array("{}".utf8), to: "demo.json")
    let other = try Program.run(
      "demo", "--out", folder.path.string, "--source", Fixtures.package.string)
    #expect(other.exitCode == 1 && other.errors.contains("not the record of a demo"))
    #expect(try Program.run("demo", "--threads", "0").exitCode == 64)
  }
}

extension FilePath {
  /// Names of everything in a folder and the folders in it.
  fileprivate func names() throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: string).compactMap {
      FilePath($0).lastComponent?.string
    }
  }
}
