import MoECore
import MoEPlacement
import MoEReport
import SystemPackage

/// The experts of every layer are placed on four devices of two nodes.
struct PlacementStage: DemoStage {
  let setting: DemoSetting

  private static let (devices, nodes) = (4, 2)
  var title: String { "Its experts on \(Self.devices) devices of \(Self.nodes) nodes" }

  /// Names of the plan's files, by what reads them.
  private static let exports: [(format: PlanFormat, name: String, reader: String)] = [
    (.sglang, "sglang.json", "SGLang, --init-expert-location"),
    (.ascend, "ascend.json", "vLLM-Ascend, expert map"),
    (.tensorrt, "tensorrt.yaml", "TensorRT-LLM, load balancer"), (.exflow, "exflow.csv", "ExFlow"),
  ]

  private func file(_ name: String) -> String { setting.made("placement/\(name)").string }

  /// The command without output files, whose result is printed.
  private var question: [String] {
    let words = [
      "place", setting.made("trace.safetensors").string, "--ranks", "\(Self.devices)", "--nodes",
      "\(Self.nodes)", "--cost", "4",
    ]
    // The best plans take seconds; a demo of a few steps only has to find one.
    return words + (setting.isQuick ? ["--method", "eplb"] : [])
  }

  var steps: [DemoStep] {
    var words = question + ["--out", file("plan.json")]
    for export in Self.exports {
      words += ["--export", "\(export.format.name)=\(file(export.name))"]
    }
    return [
      setting.step(
        "placement", words + ["--json"], computes: false, output: "placement/report.json",
        makes: (["plan.json"] + Self.exports.map(\.name)).map { "placement/\($0)" }),
      setting.step(
        "plan-check", ["plan", "check", file("plan.json")], computes: false,
        output: "placement/check.txt"),
    ]
  }

  // MARK: Results

  private func report() throws -> PlacementReport {
    try setting.value(PlacementReport.self, in: "placement/report.json")
  }

  func summary() throws -> String {
    let check = try setting.text("placement/check.txt").trimmingSuffix("\n")
    let names = (["plan.json"] + Self.exports.map(\.name)).map(file).joined(separator: " ")
    return "\(try report().text)\n\(check)\nwritten: \(names)"
  }

  func sections() throws -> [Page.Section] {
    let (report, lines) = (try report(), steps.map(\.line))
    let plan = try PlacementPlan(contentsOf: setting.made("placement/plan.json"))
    let total = report.fitted.transitions
    let answer = ShellText.line(["switchyard"] + question)
    let sizes = try Self.exports.map { export in
      let file = try MappedFile(FilePath(file(export.name)))
      return [export.reader, file.path.string, "\(ByteCount(file.count))"]
    }
    return [
      Page.Section(
        title,
        [
          .figures([devices(plan), crossings(report)] + profile(report)),
          .measurements([
            .init(
              NumberText.pagePercent(report.saved),
              "of the crossings between devices saved, on \(NumberText.count(report.judgedTokens)) held-out tokens",
              command: answer),
            .init(
              NumberText.pagePercent(report.savedByNull),
              "saved on shuffled tokens, where only the popularity of experts is left",
              command: answer),
            .init(
              NumberText.pagePercent(total > 0 ? report.bound / total : 0),
              "of the transitions of its own tokens is the most that any plan can keep; this one keeps \(NumberText.pagePercent(total > 0 ? report.fitted.objective / total : 0)) (a transfer within a node counts in part)",
              command: answer),
          ]),
          .table(Table(["read by", "file", "size"], sizes, wordColumns: 2)), .commands(lines),
        ])
    ]
  }

  private func devices(_ plan: PlacementPlan) -> Figure {
    let places = (0..<plan.layers).flatMap { layer in
      plan.ranksOfExperts(layer: layer).map { Double($0.first ?? 0) }
    }
    return HeatMap(
      rows: plan.layerIDs.map(String.init), columns: (0..<plan.experts).map(String.init),
      values: places, rowTitle: "layer", columnTitle: "expert", valueTitle: "device",
      range: 0...Double(max(1, plan.ranks - 1))
    ).figure(
      "Which device holds which expert",
      note: "\(plan.ranks / plan.nodes) consecutive devices belong to one node.")
  }

  private func crossings(_ report: PlacementReport) -> Figure {
    func shares(_ it: PlacementEvaluation) -> (node: Double, other: Double) {
      let all = max(it.transitions, 1)
      return (it.sameNode / all, it.otherNode / all)
    }
    let (linear, plan) = (shares(report.linear), shares(report.judged))
    return BarChart(
      ["in order", "the plan"],
      [
        ("to the node's other device", [linear.node, plan.node]),
        ("to the other node", [linear.other, plan.other]),
      ], nameTitle: "experts placed", valueTitle: "steps from layer to layer",
      format: NumberText.pagePercent
    ).figure("Steps that change the device", note: "On held-out tokens.")
  }

  private func profile(_ report: PlacementReport) -> [Figure] {
    guard report.profile.count > 1 else { return [] }
    return [
      LineChart(
        [.init("plan", report.profile.map { (x: Double($0.tokens), y: $0.crossingShare) })],
        xTitle: "tokens in the profile", yTitle: "crossings on held-out tokens",
        isLogarithmic: true,
        reference: (report.linear.crossingShare, "in order"), format: NumberText.pagePercent
      ).figure("How many tokens a plan needs")
    ]
  }
}
