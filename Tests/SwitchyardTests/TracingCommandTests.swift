import MoETokenizers
import Foundation
import MoECore
import MoEModels
import MoEPlacement
import MoEReport
import MoETensor
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

@Suite("The tracing commands")
struct TracingCommandTests {
  private let small: SmallModel
  private var folder: TemporaryFolder { small.folder }

  init() throws { small = try SmallModel() }

  @Test("trace records what the routers chose, of prompts and of generated tokens")
  func trace() throws {
    let text = try folder.write(Array(SmallModel.text.utf8), to: "a.txt")
    let out = folder.file("t.safetensors")
    let run = try Program.run(
      "trace", folder.path.string, "--text", text.string, "--out", out.string, "--tokens", "40",
      "--context", "16", "--weights")
    #expect(run.exitCode == 0 && run.output.hasPrefix("40 tokens recorded"), "\(run.errors)")
    let trace = try RoutingTrace(out)
    #expect(trace.sequenceStarts == [0, 16, 32] && trace.promptLengths == [16, 16, 8])
    #expect(trace.header.layers == [0, 1] && trace.header.k == 2 && trace.hasWeights)
    let ids = Array(small.tokenizer.encode(SmallModel.text).prefix(16))
    #expect(try trace.tokens(in: 0..<16) == ids.map { Int32($0) })
    // The router's rule, written directly: the two best scores of each token, best first.
    let sparse = small.model(Tensor(ids, shape: [1, 16])).sparse
    let found = try trace.experts(in: 0..<16)
    for (layer, output) in sparse.enumerated() {
      let scores = output.logits.array(of: Float.self)
      for token in 0..<16 {
        let best = (0..<4).sorted { scores[token * 4 + $0] > scores[token * 4 + $1] }.prefix(2)
        let start = (token * 2 + layer) * 2
        #expect(found[start..<start + 2].map(Int.init) == Array(best))
      }
    }

    let generated = try Program.run(
      "trace", folder.path.string, "--text", text.string, "--out", folder.file("g").string,
      "--tokens", "10", "--generate", "5")
    #expect(generated.exitCode == 0, "\(generated.errors)")
    let second = try RoutingTrace(folder.file("g"))
    #expect(second.promptLengths == [10] && second.tokenCount == 15)
  }

  @Test("import-trace and inspect say what they found, as text and as JSON")
  func importAndInspect() throws {
    let out = folder.file("t.safetensors").string
    let imported = try Program.run(
      "import-trace", Fixtures.path("traces/sglang_per_token.pt").string, "--out", out)
    #expect(imported.output.hasPrefix("12 tokens in 2 sequences, 3 layers, top-2 of 8 experts"))
    let text = try Program.run("inspect", out)
    #expect(text.exitCode == 0 && text.output.contains("max/mean") && text.output.contains("bits"))
    let json = try Program.run("inspect", out, "--json")
    let report = try JSONDecoder().decode(TraceReport.self, from: Data(json.output.utf8))
    var expected = try TraceReport(RoutingTrace(.init(out)))
    // Advice about placement follows; its solver's seconds are not part of it.
    expected.diagnosis += report.diagnosis.dropFirst(expected.diagnosis.count)
    #expect(report == expected && report.diagnosis.last?.hasPrefix("Doing nothing") ?? false)
    let counts = try Program.run("inspect", Fixtures.path("traces/sglang_stat.pt").string)
    #expect(counts.output.contains("Only loads are known"))
    #expect(try Program.run("inspect", folder.path.string).output.contains("--text FILE"))
  }

  @Test("inspect traces a model, and its page has the numbers of its JSON")
  func page() throws {
    let text = try folder.write(Array(SmallModel.text.utf8), to: "a.txt").string
    let html = folder.file("report.html")
    let run = try Program.run(
      "inspect", folder.path.string, "--text", text, "--tokens", "200", "--devices", "2", "--json",
      "--html", html.string)
    #expect(run.exitCode == 0, "\(run.errors)")
    struct Answer: Decodable { var placement: PlacementAdvice }
    let output = Data(run.output.utf8)
    let report = try JSONDecoder().decode(TraceReport.self, from: output)
    let advice = try JSONDecoder().decode(Answer.self, from: output).placement
    #expect(report.tokens == 200 && advice.devices == 2)
    #expect(report.specializations.map(\.kind).contains("token class"))
    #expect(try readBytes(html) == written(InspectionPage(report, advice: advice).page))
    #expect(!FileManager.default.fileExists(atPath: folder.file("trace.safetensors").string))
  }

  /// The bytes of a page with the program's footer.
  private func written(_ page: Page) -> [UInt8] {
    var page = page
    page.footer =
      "Made by 'switchyard inspect'. \(page.footer) The same numbers are in the output of --json."
    return Array(page.html.utf8)
  }

  @Test("inspect compares two traces, and follows a training run")
  func comparisons() throws {
    let text = try folder.write(Array(SmallModel.text.utf8), to: "a.txt").string
    let (one, two) = (folder.file("1.safetensors").string, folder.file("2.safetensors").string)
    for (path, tokens) in [(one, "150"), (two, "200")] {
      let run = try Program.run(
        "trace", folder.path.string, "--text", text, "--out", path, "--tokens", tokens)
      #expect(run.exitCode == 0, "\(run.errors)")
    }
    let html = folder.file("drift.html").string
    let drift = try Program.run("inspect", one, "--against", two, "--json", "--html", html)
    let found = try JSONDecoder().decode(DriftReport.self, from: Data(drift.output.utf8))
    #expect(found.tokens == [150, 200] && found.names == ["1.safetensors", "2.safetensors"])
    #expect(try readBytes(.init(html)) == written(DriftPage(found).page))
    #expect(try Program.run("inspect", one, "--against", two).output.contains("by chance"))

    // A run with one snapshot, of another model, and the final one.
    let run = folder.file("run")
    for part in ["snapshots/step-00000005", "model", "checkpoints/step-00000020"] {
      let path = run.pushing(FilePath(part)).string
      try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
      for name in ["config.json", "model.safetensors", "tokenizer.json", "state.json"] {
        let source = folder.file(name == "state.json" ? "config.json" : name).string
        try FileManager.default.copyItem(atPath: source, toPath: path + "/" + name)
      }
    }
    _ = try folder.write(Array("{}".utf8), to: "run/run.json")
    let without = try Program.run("inspect", run.string)
    #expect(without.exitCode == 0 && without.output.contains("--text"))
    let steps = try Program.run(
      "inspect", run.string, "--text", text, "--tokens", "100", "--devices", "2", "--json")
    #expect(steps.exitCode == 0, "\(steps.errors)")
    let report = try JSONDecoder().decode(CheckpointReport.self, from: Data(steps.output.utf8))
    #expect(report.steps.map(\.affinity.step) == [5, 20])
    #expect(report.steps.allSatisfy { $0.agreement == 1 } && report.name == "run")
  }

  @Test("bad input ends with a message and leaves nothing behind")
  func refused() throws {
    let out = folder.file("out.safetensors").string
    for name in ["hostile.pt", "sglang_stat.pt", "expected_tokens.npy"] {
      let run = try Program.run(
        "import-trace", Fixtures.path("traces/" + name).string, "--out", out)
      #expect(run.exitCode == 1 && run.errors.contains(name), "\(run.errors)")
    }
    let text = try folder.write(Array("The gate".utf8), to: "a.txt").string
    let long = try Program.run(
      "trace", folder.path.string, "--text", text, "--out", out, "--context", "1000")
    #expect(long.exitCode == 1 && long.errors.contains("--context is"))
    let endless = try Program.run(
      "trace", folder.path.string, "--text", text, "--out", out, "--generate", "\(Int.max)")
    #expect(endless.exitCode == 1 && endless.errors.contains("--context is"))
    let usage = try Program.run(
      "trace", folder.path.string, "--text", text, "--out", out, "--tokens", "0")
    #expect(usage.exitCode == 64)
    let html = folder.file("out.html").string
    let none = try Program.run("inspect", folder.path.string, "--html", html)
    #expect(none.exitCode == 64 && none.errors.contains("--text"))
    let trace = Fixtures.path("traces/sglang_stat.pt").string
    #expect(try Program.run("inspect", trace, "--text", text).exitCode == 64)
    #expect(try Program.run("inspect", trace, "--devices", "1").exitCode == 64)
    #expect(!FileManager.default.fileExists(atPath: html))
    #expect(!FileManager.default.fileExists(atPath: out))
  }
}
