import Foundation
import MoECore
import MoEPlacement
import MoETestSupport
import MoETracing
import SystemPackage
import Testing

@Suite("The placement commands")
struct PlacementCommandTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// Four groups of two experts, renamed in each layer; a token leaves its group in one step of ten.
  private func trace(tokens: Int) throws -> String {
    let path = folder.file("t.safetensors")
    var generator = SeededGenerator(seed: 7)
    let names = (0..<4).map { _ in Array(0..<8).shuffled(using: &generator) }
    let header = RoutingTraceHeader(layers: Array(1...4), experts: 8, k: 2)
    let writer = try RoutingTraceWriter(header, to: path)
    for token in 0..<tokens {
      if token.isMultiple(of: 50) { writer.beginSequence() }
      var group = Int.random(in: 0..<4, using: &generator)
      var choices: [UInt16] = []
      for layer in 0..<4 {
        if Int.random(in: 0..<10, using: &generator) == 0 {
          group = Int.random(in: 0..<4, using: &generator)
        }
        choices += [UInt16(names[layer][2 * group]), UInt16(names[layer][2 * group + 1])]
      }
      try writer.append(experts: choices)
    }
    try writer.finish()
    return path.string
  }

  @Test("place finds hidden groups, judges the plan on held-out tokens and writes it")
  func place() throws {
    let trace = try trace(tokens: 2_000)
    let (plan, map) = (folder.file("plan.json").string, folder.file("map.json").string)
    let run = try Program.run(
      "place", trace, "--ranks", "4", "--out", plan, "--export", "sglang=" + map, "--json")
    #expect(run.exitCode == 0, "\(run.errors)")
    let report = try JSONDecoder().decode(PlacementReport.self, from: Data(run.output.utf8))
    #expect(report.isHeldOut && report.fittedTokens == 1_000 && report.judgedTokens == 1_000)
    // Groups stay together with a probability of 0.9 + 0.1/4; popularity alone saves next to nothing.
    #expect(abs(report.judged.crossingShare - 0.075) < 0.02)
    #expect(report.saved > 0.8 && abs(report.savedByNull) < 0.1)
    #expect(report.fitted.objective <= report.bound * (1 + 1e-9))
    #expect(report.judged.balance.count == 4 && report.tokensNeeded != nil)

    for arguments in [[plan], [map, "--format", "sglang", "--ranks", "4", "--layers", "1-4"]] {
      let check = try Program.run(["plan", "check"] + arguments)
      #expect(check.exitCode == 0, "\(check.errors)")
      #expect(check.output.hasPrefix("legal: 4 layers, 8 experts and 0 replicas on 4 ranks"))
    }
    let converted = folder.file("again.json").string
    let convert = try Program.run(
      "plan", "convert", map, "--format", "sglang", "--ranks", "4", "--layers", "1-4", "--to",
      "plan=" + converted)
    #expect(convert.exitCode == 0, "\(convert.errors)")
    #expect(
      try Program.run("plan", "diff", plan, converted).output.hasPrefix(
        "0 experts are placed elsewhere"))
  }

  @Test("the sweep comes within 1 % of the exact plan of the bundled model's own routing")
  func realRouting() throws {
    let data = Fixtures.package.appending("Data")
    let trace = folder.file("bible.safetensors").string
    let recorded = try Program.run(
      "trace", data.appending("bible-moe").string, "--text",
      data.appending("bible/law.txt").string, "--tokens", "1500",
      "--threads", "1", "--out", trace)
    #expect(recorded.exitCode == 0, "\(recorded.errors)")
    let study = try PlacementStudy(RoutingTrace(FilePath(trace)), heldOut: 0)
    let problem = try PlacementProblem(
      study.counts(study.fitted), topology: PlacementTopology(ranksPerNode: 2))
    let exact = try ExactSolver().solve(problem)
    let sweep = try SweepSolver().solve(problem)
    #expect(exact.isOptimal && sweep.evaluation.objective >= 0.99 * exact.evaluation.objective)
    #expect(exact.evaluation.objective <= sweep.bound)
  }

  @Test("the text report names the split, the bound and the null")
  func text() throws {
    let run = try Program.run("place", try trace(tokens: 600), "--ranks", "2", "--method", "sweep")
    #expect(run.exitCode == 0, "\(run.errors)")
    for word in ["held-out tokens", "linear", "saved ", "null ", "bound ", "profile "] {
      #expect(run.output.contains(word), "\(word) is missing")
    }
    let all = try Program.run(
      "place", folder.file("t.safetensors").string, "--ranks", "2", "--held-out", "0")
    #expect(all.exitCode == 0 && all.output.contains("the same tokens"))
  }

  @Test("place balances counts, and plan evaluate judges a plan on other tokens or counts")
  func countsAndEvaluation() throws {
    let one = try folder.write(
      Array("layer_id,expert_id,count\n3,0,40\n3,1,30\n3,2,5\n".utf8), to: "rank0.csv"
    ).string
    let two = try folder.write(
      Array("layer_id,expert_id,count\n3,2,5\n3,3,0\n4,0,10\n4,3,10\n".utf8), to: "rank1.csv"
    )
    .string
    let plan = folder.file("plan.json").string
    let placed = try Program.run("place", one, two, "--ranks", "2", "--out", plan, "--json")
    #expect(placed.exitCode == 0, "\(placed.errors)")
    let report = try JSONDecoder().decode(BalanceReport.self, from: Data(placed.output.utf8))
    // The best division of 40, 30, 10 and 0 is 40 against 40; that of 10, 0, 0 and 10 is even.
    #expect(report.balance == [1, 1] && report.linearBalance == [1.75, 1])
    let sweep = try Program.run("place", one, two, "--ranks", "2", "--method", "sweep")
    #expect(sweep.exitCode == 1 && sweep.errors.contains("loads alone"))
    let text = try Program.run("plan", "evaluate", plan, one, two)
    #expect(text.exitCode == 0 && text.output.contains("unknown"), "\(text.errors)")

    let trace = try trace(tokens: 500)
    let (made, other) = (folder.file("made.json").string, folder.file("all.json").string)
    #expect(
      try Program.run("place", trace, "--ranks", "4", "--held-out", "0", "--out", made).exitCode
        == 0)
    let judged = try Program.run("plan", "evaluate", made, trace, "--json")
    let found = try JSONDecoder().decode(PlanReport.self, from: Data(judged.output.utf8))
    #expect(found.tokens == 500 && found.saved > 0.5)
    let missing = try Program.run("plan", "evaluate", plan, trace)
    #expect(missing.exitCode == 1 && missing.errors.contains("chose from 8"))
    // Two copies of an expert on a rank, as EPLB makes them: shown and converted, and named once by check.
    let map = try folder.write(
      Array(#"{"physical_to_logical_map": [[0, 0, 1, 2, 3, 3], [0, 0, 1, 2, 3, 3]]}"#.utf8),
      to: "map.json"
    ).string
    let options = ["--format", "sglang", "--ranks", "2"]
    #expect(try Program.run(["plan", "show", map] + options).exitCode == 0)
    #expect(
      try Program.run(["plan", "convert", map, "--to", "plan=" + other] + options).exitCode == 0)
    let check = try Program.run(["plan", "check", map] + options)
    #expect(check.exitCode == 1)
    #expect(check.output.split(separator: "\n").count { $0.contains("expert 0 twice") } == 1)
    #expect(check.output.contains("layers 0-1: rank 0 holds expert 0 twice"))
  }

  @Test("what cannot be placed is refused, and no file appears")
  func refused() throws {
    let trace = try trace(tokens: 100)
    let plan = folder.file("plan.json").string
    let uneven = try Program.run("place", trace, "--ranks", "3", "--out", plan)
    #expect(uneven.exitCode == 1 && uneven.errors.contains("do not divide into 3 ranks"))
    let missing = try Program.run(
      "place", folder.file("none").string, "--ranks", "2", "--out", plan)
    #expect(missing.exitCode == 1 && missing.errors.contains("none"))
    for usage in [
      ["--ranks", "0"], ["--ranks", "4", "--nodes", "3"], ["--ranks", "2", "--held-out", "1"],
      ["--ranks", "2", "--time-limit", "0"], ["--ranks", "2", "--export", "gguf=x"],
    ] {
      #expect(try Program.run(["place", trace, "--out", plan] + usage).exitCode == 64)
    }
    #expect(!FileManager.default.fileExists(atPath: plan))
    for (option, value, expected) in [
      ("--imbalance-weight", "1e18", "from 0 to 1000000"),
      ("--imbalance-weight", "nan", "a number"),
      ("--cost", "1e18", "from 1 to 1000000000"), ("--cost", "nan", "a number"),
      ("--time-limit", "inf", "a finite number"), ("--model-layers", "100000000", "1…4096"),
    ] {
      let run = try Program.run("place", trace, "--ranks", "2", option, value)
      #expect(run.exitCode == 64 && run.errors.contains(expected), "\(run.errors)")
    }
    let counts = try folder.write(Array("5,3\n1,2\n".utf8), to: "counts.csv").string
    for options in [["--pareto"], ["--held-out", "0"], ["--imbalance-weight", "0.3"]] {
      let run = try Program.run(["place", counts, "--ranks", "2", "--out", plan] + options)
      #expect(run.exitCode == 64 && run.errors.contains("\(options[0]) is for traces"), "\(run)")
    }
    #expect(!FileManager.default.fileExists(atPath: plan))
    let map = try folder.write(
      Array(#"{"physical_to_logical_map": [[0, 0]]}"#.utf8), to: "map.json"
    ).string
    let shown = try Program.run("plan", "show", map)
    #expect(shown.exitCode == 1 && shown.errors.contains("add --format sglang"), "\(shown.errors)")
    let illegal = try folder.write(
      Array(
        #"{"version": 1, "layers": [0], "experts": 2, "nodes": 1, "ranks": 2, "slots": [[0, 0]]}"#
          .utf8), to: "illegal.json"
    ).string
    for arguments in [
      ["show", illegal], ["diff", illegal, illegal], ["evaluate", illegal, counts],
    ]
      + [["check", illegal], ["convert", illegal, "--to", "sglang=" + plan]]
    {
      let run = try Program.run(["plan"] + arguments)
      #expect(run.exitCode == 1 && run.errors.contains("illegal.json: the plan is not legal"))
    }
    let broken = try folder.write(Array("{\"version\": 1}".utf8), to: "broken.json").string
    let check = try Program.run("plan", "check", broken)
    #expect(check.exitCode == 1 && check.errors.contains("broken.json"))
  }
}
